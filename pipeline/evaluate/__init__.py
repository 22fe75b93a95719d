"""Honest measurement: what is held out, predictions, metrics, bits per byte."""
