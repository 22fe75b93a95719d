"""The bound on privacy that a training kept, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRIVACY = frozenset(
    {"epsilon", "delta", "clip", "noise_multiplier", "sample_rate", "private_examples", "private_steps"}
)
"""Numbers of metrics.json that say it, and stand in no table."""


def bound(row: Mapping[str, Any]) -> str:
    """One sentence on the bound that a row's training kept; empty where it kept none."""
    if "epsilon" not in row:
        return ""
    return (
        f"Fine-tuned with differential privacy: ε = {row['epsilon']:.2f} at δ = {row['delta']:.2g} for each of "
        f"{row['private_examples']:,} training examples (gradients clipped to {row['clip']:g}, noise multiplier "
        f"{row['noise_multiplier']:.3g}, sampling rate {row['sample_rate']:.3g}, {row['private_steps']:,} steps); "
        "every other row is without it."
    )
