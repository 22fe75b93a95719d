"""Differentially private fine-tuning through Opacus: gradients by example are clipped, and noise is added to them."""
