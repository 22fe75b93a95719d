"""Groundup: raw text in, published language model out, on the Hugging Face stack."""

__version__ = "0.1.0"
