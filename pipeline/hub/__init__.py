"""Asking the Hugging Face Hub: with patience, within time limits, and in our words where it refuses."""
