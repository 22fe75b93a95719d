"""Fine-tunings whose differential privacy could not be kept, refused before any work begins."""

from __future__ import annotations

import importlib.util

from pipeline.checks.refusal import require
from pipeline.recipe import Finetune

_LOOSEST = 100
"""The greatest epsilon; from some ten on the bound alone says little."""


def check_privacy(section: str, settings: Finetune) -> None:
    """Refuse what has no gradient by example, or would tell of the data beside what the noise covers.

    Raises:
        GroundupError: naming the setting and what to do.
    """
    privacy, where = settings.privacy, f"{section}.privacy"
    require(privacy.epsilon >= 0, f"{where}.epsilon", f"{privacy.epsilon:g} is negative", "use one such as 8")
    require(
        privacy.epsilon <= _LOOSEST,
        f"{where}.epsilon",
        f"{privacy.epsilon:g} bounds nothing that a reader could hold on to",
        f"use one of at most {_LOOSEST}, such as 8, or 0 for none",
    )
    require(
        0 <= privacy.delta < 1,
        f"{where}.delta",
        f"{privacy.delta:g} is no probability",
        "use one such as 1e-5",
    )
    require(privacy.clip > 0, f"{where}.clip", f"{privacy.clip:g} leaves no gradient", "use one such as 1")
    if not privacy.epsilon:
        require(
            not privacy.delta,
            f"{where}.delta",
            "without an epsilon nothing is private",
            "set epsilon, such as 8",
        )
        return
    require(
        importlib.util.find_spec("opacus") is not None,
        f"{where}.epsilon",
        "differential privacy needs opacus",
        "run make setup, or pip install 'groundup[privacy]'",
    )
    _check_training(section, settings)


def _check_training(section: str, settings: Finetune) -> None:
    require(
        settings.optimizer != "schedule-free",
        f"{section}.optimizer",
        "schedule-free changes between two sets of weights, of which Opacus' optimiser knows one",
        "use adamw",
    )
    require(
        settings.adapter.method not in ("dora", "qlora"),
        f"{section}.adapter.kind",
        f"Opacus cannot take the gradients of {settings.adapter.method} by example",
        "use lora",
    )
    require(
        settings.precision != "bfloat16",
        f"{section}.precision",
        "in bfloat16 the norms that are clipped are rounded, and the bound would not hold",
        "leave it at auto, which is float32 here",
    )
    require(
        settings.compile != "yes",
        f"{section}.compile",
        "compiled layers give no gradients by example",
        "leave it at auto, which compiles nothing here",
    )
    require(
        settings.leap == 0,
        f"{section}.leap",
        "whether a step is skipped would tell of its examples",
        "leave it at 0",
    )
