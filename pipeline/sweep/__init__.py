"""Choosing settings by trying them: a sweep over any setting, and a learning-rate range test."""
