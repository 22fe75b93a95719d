"""Finished models in the formats of others, each compared with the original on held-out data."""
