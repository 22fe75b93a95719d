"""Tuning a model that converses further: by preferences (dpo.py) and by rewards that are checked (grpo.py)."""
