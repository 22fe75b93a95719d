"""Tuning by preferences and by rewards that cannot be."""

from __future__ import annotations

from pipeline.checks.refusal import require
from pipeline.checks.training import check_saving
from pipeline.recipe import Align, Dpo, Grpo


def check_dpo(dpo: Dpo) -> None:
    """Refuse what prefers nothing."""
    _check_aligning("dpo", dpo)
    require(dpo.beta > 0, "dpo.beta", f"{dpo.beta} rewards nothing", "use a positive one, such as 0.1")


def check_grpo(grpo: Grpo) -> None:
    """Refuse what rewards nothing."""
    _check_aligning("grpo", grpo)
    require(
        grpo.generations > 1,
        "grpo.generations",
        f"{grpo.generations} cannot be compared with each other",
        "use 2 or more",
    )
    require(
        grpo.global_batch % max(1, grpo.generations) == 0,
        "grpo.global-batch",
        f"{grpo.global_batch} answers are no whole number of problems with {grpo.generations} each",
        f"use a multiple of {grpo.generations}",
    )
    require(
        grpo.temperature > 0,
        "grpo.temperature",
        f"{grpo.temperature} gives the same answer every time",
        "use a positive one, such as 1",
    )


def _check_aligning(section: str, align: Align) -> None:
    check_saving(section, align)
    for name in ("steps", "global_batch", "micro_batch", "learning_rate"):
        value = getattr(align, name)
        require(
            value > 0, f"{section}.{name.replace('_', '-')}", f"{value} trains nothing", "use a positive one"
        )
    require(
        0 <= align.warmup <= 1,
        f"{section}.warmup",
        f"{align.warmup} is no share",
        "use one between 0 and 1",
    )
