"""Numbers that no setting can be, whatever it means."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.checks.refusal import require
from pipeline.errors import shown

_LARGEST = 2**53
"""Of whole numbers: every greater one loses digits as a float, and no count here comes near."""

_RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**32 - 1),  # numpy's
    "depth": (1, 10_000),
    "width": (0, 10**6),
    "heads": (0, 10**5),
    "context": (0, 2**27),
    "vocabulary": (0, 10**7),
    "sentinels": (0, 1000),
    "training-megabytes": (1e-3, 1e9),
    "megabytes": (0, 1e12),
    "minimum-characters": (0, 10**9),
    "longest-document": (1, 10**9),
    "skip-bad-rows": (0, 10**9),
    "boilerplate": (0, 10**12),
    "repeated-passages": (0, 10**9),
    "decontaminate": (0, 10**6),
    "workers": (0, 10**5),
    "memory-gigabytes": (1, 10**5),
    "steps": (0, 10**9),
    "passes": (0, 1e6),
    "tokens-per-parameter": (0, 1e6),
    "global-batch": (0, 10**7),
    "learning-rate": (0, 1e3),
    "muon-learning-rate": (0, 1e3),
    "weight-decay": (0, 1e3),
    "gradient-clipping": (0, 1e9),
    "z-loss": (0, 1e3),
    "max-tokens": (4, 2**27),
    "max-new-tokens": (1, 2**27),
    "beams": (1, 1000),
    "temperature": (0, 1e3),
    "evaluation-tokens": (1, 10**12),
    "evaluate-every": (0, 10**9),
    "log-every": (0, 10**9),
    "problems": (2, 10**9),
    "evaluation-problems": (1, 10**9),
    "rank": (1, 10**5),
    "processes": (0, 10**6),
    "utilisation": (1e-6, 1),
}
"""The least and the most that a setting of this name can be, whatever its section; those apart know more of it."""


def check_ranges(settings: Any) -> None:
    """Refuse numbers that a setting cannot have wherever it stands.

    Raises:
        GroundupError: naming the setting and the range.
    """
    for name, value in _numbers(settings, ""):
        least, most = _RANGES.get(name.rpartition(".")[2], (-math.inf, math.inf))
        remedy = f"use one from {least:,} to {most:,}"
        require(least <= value <= most, name, f"{value} is out of range", remedy)


def check_numbers(settings: Any) -> None:
    """Refuse infinity, what is no number, and whole numbers that no computer counts to.

    Raises:
        GroundupError: naming the setting.
    """
    for name, value in _numbers(settings, ""):
        if isinstance(value, float):
            require(math.isfinite(value), name, f"{value} is no number to compute with", "use a finite one")
        else:
            require(
                abs(value) <= _LARGEST, name, f"{shown(value)} is beyond all measure", "use a smaller one"
            )


def _numbers(value: Any, name: str) -> Iterator[tuple[str, int | float]]:
    """Every number in a tree of settings, and its setting as the command line spells it."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _numbers(
                getattr(value, field.name), f"{name}.{field.name.replace('_', '-')}".strip(".")
            )
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _numbers(entry, f"{name}.{key}")
    elif isinstance(value, tuple):
        for entry in value:
            yield from _numbers(entry, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, value
