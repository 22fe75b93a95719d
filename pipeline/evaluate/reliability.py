"""Whether what is said is as often right as its probability says, by the size of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.statistics import Numbers, Statistics

_BINS = 15


class Sureness(NamedTuple):
    """How likely things were said to be, and whether they are so."""

    probabilities: Sequence[Any]
    """One for each example, or for each of its labels."""
    right: Sequence[Any]
    """Alike: whether it is so."""


@dataclass(frozen=True)
class Bin:
    """What was said with a probability between two borders."""

    low: float
    high: float
    examples: int
    probability: float
    """The mean of those that were said."""
    right: float
    """Share."""
    least: float
    """Of the share's 95 % interval (Wilson, 1927)."""
    most: float


def calibration_error(probabilities: Sequence[Any], right: Sequence[Any]) -> Statistics:
    """Expected calibration error, ``ece``: how far the probability of what is said is from how often it is right.

    The mean over 15 equal bins of the probability, by what was said in them (Guo et al., 2017).

    Args:
        probabilities: one for each example, or for each of its labels.
        right: whether it is so, alike.
    """
    said, correct, bins = _binned(probabilities, right)
    values = [np.ones_like(said), said, correct]
    rows = np.concatenate([(bins * value[..., None]).sum(1) for value in values], axis=1)

    def metrics(sums: Numbers) -> dict[str, float]:
        count, confidence, correct = np.split(sums, 3)
        return {"ece": float(np.abs(confidence - correct).sum() / max(1.0, count.sum()))}

    return Statistics(rows, metrics)


def reliability(probabilities: Sequence[Any], right: Sequence[Any]) -> list[Bin]:
    """The same bins one by one, those that hold something: a reliability diagram (Guo et al., 2017, section 2)."""
    from scipy.stats import binomtest

    said, correct, bins = _binned(probabilities, right)
    found = []
    for number in range(_BINS):
        here = bins[..., number]
        count, hits = int(here.sum()), int(correct[here].sum())
        if count:
            ends = binomtest(hits, count).proportion_ci(method="wilson")
            borders = number / _BINS, (number + 1) / _BINS
            found.append(Bin(*borders, count, float(said[here].mean()), hits / count, ends.low, ends.high))
    return found


def _binned(probabilities: Sequence[Any], right: Sequence[Any]) -> tuple[Numbers, Numbers, NDArray[np.bool_]]:
    """Both as ``(examples, labels)``, and whether each probability is in a bin, ``(examples, labels, bins)``."""
    said = np.asarray(probabilities, dtype=np.float64).reshape(len(probabilities), -1)
    correct = np.asarray(right, dtype=np.float64).reshape(said.shape)
    return said, correct, np.minimum((said * _BINS).astype(int), _BINS - 1)[..., None] == np.arange(_BINS)
