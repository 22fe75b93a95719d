"""Tuning a model that converses further: by preferences (dpo.py) and by rewards that are checked (grpo.py)."""

MAIN_METRICS = {"dpo": "reward_accuracy", "grpo": "accuracy"}
"""What a model is compared by with itself before; greater is better."""
