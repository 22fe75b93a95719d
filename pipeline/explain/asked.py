"""What is asked of an explanation: the methods and how they are measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

INTEGRATED_GRADIENTS, ATTENTION_ROLLOUT = "integrated-gradients", "attention-rollout"
Method = Literal["integrated-gradients", "attention-rollout"]
Baseline = Literal["mean", "padding"]
AREAS = ("deletion", "insertion")
"""The two curves' names."""
RANDOM = "random"
"""Name of random orders, where they stand beside methods."""
BATCH_TOKENS = 2048
"""Tokens that go through a model together, those of one step of a path of gradients included."""


@dataclass(frozen=True)
class Asked:
    """How to explain."""

    methods: tuple[str, ...] = (INTEGRATED_GRADIENTS, ATTENTION_ROLLOUT)
    """Names in ``pipeline.explain.methods.METHODS``."""
    steps: int = 64
    """Of the path that gradients are integrated along."""
    baseline: Baseline = "mean"
    """Where that path begins: every token of the text as the mean of all embeddings, or as padding."""
    fractions: int = 10
    """Parts that the tokens are taken away in."""
    orders: int = 20
    """Random orders to compare with."""
    seed: int = 0
    """Of the random orders."""
