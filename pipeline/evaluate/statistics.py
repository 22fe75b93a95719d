"""What each held-out example adds to sums from which metrics follow, and how sure these are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

SAMPLES = 1000
"""Bootstrap samples."""
_FEWEST = 10
"""Groups; fewer tell too little of how results vary from one to the next."""


@dataclass(frozen=True)
class Statistics:
    """Sufficient statistics: the metrics of any part of the examples follow from sums of their rows."""

    rows: Numbers
    """``(examples, sums)``."""
    metrics: Callable[[Numbers], Mapping[str, float]]
    """From the sums, ``(sums,)``."""

    def of(self, which: NDArray[np.bool_]) -> Statistics:
        """Those of some examples."""
        return Statistics(self.rows[which], self.metrics)

    def of_one(self, number: int) -> Mapping[str, float]:
        """The metrics of one example by itself."""
        return self.metrics(self.rows[number])

    def score(self) -> dict[str, float]:
        """The metrics of all examples."""
        return {name: float(value) for name, value in self.metrics(self.rows.sum(0)).items()}


def means(**values: Sequence[float]) -> Statistics:
    """Metrics that are means over the examples, by name."""
    return ratios(**{name: (column, [1.0] * len(column)) for name, column in values.items()})


def ratios(**parts: tuple[Sequence[float], Sequence[float]]) -> Statistics:
    """Metrics that are one sum divided by another, by name; 0 where the second is 0."""
    columns = [np.asarray(column, dtype=np.float64) for pair in parts.values() for column in pair]
    names = list(parts)  # all that the metrics need of them

    def metrics(sums: Numbers) -> dict[str, float]:
        return {
            name: sums[2 * i] / sums[2 * i + 1] if sums[2 * i + 1] else 0.0 for i, name in enumerate(names)
        }

    return Statistics(np.stack(columns, axis=1), metrics)


def joined(*parts: Statistics) -> Statistics:
    """The metrics of all of them, of the same examples."""
    ends = np.cumsum([part.rows.shape[1] for part in parts])[:-1]
    each = [part.metrics for part in parts]  # without their rows, of which the whole has a copy

    def metrics(sums: Numbers) -> dict[str, float]:
        found: dict[str, float] = {}
        for of_part, own in zip(each, np.split(sums, ends), strict=True):
            found |= of_part(own)
        return found

    return Statistics(np.concatenate([part.rows for part in parts], axis=1), metrics)


@dataclass(frozen=True)
class Draws:
    """Metrics of several systems on the same bootstrap samples of the examples (Efron, 1979)."""

    values: Mapping[str, Mapping[str, Numbers]]
    """By system and metric, ``(samples,)``."""

    def interval(self, system: str, metric: str) -> tuple[float, float]:
        """What holds 95 % of the samples."""
        low, high = np.percentile(self.values[system][metric], [2.5, 97.5])
        return float(low), float(high)

    def difference(self, system: str, other: str, metric: str) -> Difference:
        """How much more one has than the other on the same samples (Koehn, 2004)."""
        more = self.values[system][metric] - self.values[other][metric]
        low, high = np.percentile(more, [2.5, 97.5])
        against = min(np.sum(more <= 0), np.sum(more >= 0))
        p = min(1.0, 2 * (1 + int(against)) / (1 + len(more)))
        return Difference(float(low), float(high), p)


@dataclass(frozen=True)
class Difference:
    """Of two systems on the same examples."""

    low: float
    high: float
    """What holds 95 % of the bootstrap samples."""
    p: float
    """How often chance alone would bring a difference as far from 0, on either side."""


def draw(
    systems: Mapping[str, Statistics], groups: Sequence[str], seed: int, samples: int = SAMPLES
) -> Draws:
    """Bootstrap samples of the examples; those of one group, which are alike, are drawn together.

    Args:
        systems: statistics of the same examples, by system.
        groups: of each example.
        seed: of the samples.
        samples: how many.
    """
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    places, count = np.array([numbers[group] for group in groups]), len(numbers)
    sums = {name: _by_group(statistics.rows, places, count) for name, statistics in systems.items()}
    chance = np.random.default_rng(seed)
    found: dict[str, list[Mapping[str, float]]] = {name: [] for name in systems}
    for _ in range(samples):
        times = chance.multinomial(count, np.full(count, 1 / count)).astype(np.float64)
        for name, statistics in systems.items():
            found[name].append(statistics.metrics(times @ sums[name]))
    return Draws(
        {
            name: {metric: np.array([values[metric] for values in drawn]) for metric in drawn[0]}
            for name, drawn in found.items()
        }
    )


def _by_group(rows: Numbers, places: NDArray[np.int64], count: int) -> Numbers:
    sums = np.zeros((count, rows.shape[1]))
    np.add.at(sums, places, rows)
    return sums


def coarse_enough(*choices: Sequence[str]) -> Sequence[str]:
    """The first of several ways to group the examples that makes enough groups; else each example is one."""
    for groups in choices:
        if len(set(groups)) >= _FEWEST:
            return groups
    return [str(number) for number in range(len(choices[0]))]
