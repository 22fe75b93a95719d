"""Settings of tuning a model that converses by preferences, and by rewards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.recipe.pretraining import Precision
from pipeline.settings import incidental

ALIGNED = ("dpo", "grpo")
"""Sections of the recipe that align the model that converses; --task takes them where a finished model is named."""


@dataclass(frozen=True)
class Align:
    """What both ways of tuning a model that converses share: by preferences, and by rewards."""

    model: str = ""
    """Start from this published model (a path, a Hub name or package:NAME), not the recipe's own of chat."""
    steps: int = 100
    """Optimiser steps."""
    micro_batch: int = 8
    """At most so many examples a process holds at a time; the rest of the global batch is accumulated."""
    learning_rate: float = 1e-5
    """Peak rate of AdamW."""
    weight_decay: float = 0.0
    """Decoupled weight decay."""
    schedule: Literal["linear", "constant"] = "linear"
    """After the warm-up. linear: falling to zero at the end. constant."""
    warmup: float = 0.1
    """Share of the steps in which the rate rises linearly."""
    gradient_clipping: float = 1.0
    """Largest global gradient norm."""
    precision: Precision = "auto"
    """auto takes bfloat16 where the machine computes in it, else float32."""
    evaluation_tokens: int = incidental(8192)
    """Tokens in one batch of measurement, padding and what is generated included."""
    checkpoint_every: int = incidental(50)
    """Steps between two checkpoints."""
    checkpoints_kept: int = incidental(2)
    """Checkpoints that are kept: so many of the newest, and the best."""
    log_every: int = incidental(0)
    """Steps between two lines of the log; 0 is every step on CPUs and every tenth on GPUs, which a line waits for."""


@dataclass(frozen=True)
class Dpo(Align):
    """Pairs of a preferred and another answer to a model that prefers alike (Rafailov et al., 2023)."""

    data: str = ""
    """Where pairs come from: columns prompt, chosen and rejected, each a text or messages. Empty: no such stage."""
    global_batch: int = 16
    """Pairs in one optimiser step, over all processes."""
    beta: float = 0.1
    """How strongly the model is held to where it starts."""
    max_tokens: int = 256
    """Longest prompt with an answer, in tokens; longer ones lose their end."""


@dataclass(frozen=True)
class Grpo(Align):
    """Problems with checked answers to a model that answers more of them (Shao et al., 2024)."""

    data: tuple[str, ...] = ()
    """Where problems come from: reasoning-gym:NAME, or rows with question and answer. Empty: no such stage."""
    problems: int = 1000
    """How many are taken of each source, equal questions included."""
    evaluation_problems: int = 200
    """How many of them are kept from training and measured on, at most a half."""
    instruction: str = ""
    """The system message before each problem."""
    global_batch: int = 32
    """Answers in one optimiser step, over all processes and problems."""
    generations: int = 8
    """Answers to each problem, which are compared with each other."""
    temperature: float = 1.0
    """Of the answers in training; measured are the greedy ones."""
    max_new_tokens: int = 64
    """Longest answer, in tokens."""
