"""Architectures by one size dial, published weights, and what the machine computes in."""
