"""Metrics of numbers that are near the right ones or not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from pipeline.evaluate.statistics import Numbers, Statistics, joined, means


def errors(said: Sequence[float], wanted: Sequence[float]) -> Statistics:
    """Mean absolute error, ``mae``, and root mean squared error, ``rmse``."""
    distance = np.abs(np.asarray(said, dtype=np.float64) - np.asarray(wanted, dtype=np.float64))
    rows = np.stack([distance**2, np.ones_like(distance)], axis=1)

    def metrics(sums: Numbers) -> dict[str, float]:
        return {"rmse": float(np.sqrt(sums[0] / sums[1])) if sums[1] else 0.0}

    return joined(means(mae=distance.tolist()), Statistics(rows, metrics))


def correlations(said: Sequence[float], wanted: Sequence[float]) -> Statistics:
    """``pearson`` and ``spearman``; 0 where one side does not vary.

    Spearman's is Pearson's of the ranks. These are taken among all examples, also for a part or a sample of them.
    """
    return joined(_pearson("pearson", said, wanted), _pearson("spearman", rankdata(said), rankdata(wanted)))


def _pearson(name: str, said: Sequence[float], wanted: Sequence[float]) -> Statistics:
    # Sums of squares lose fewer digits around the mean, which changes no correlation.
    x, y = (np.asarray(v, dtype=np.float64) - np.mean(v) for v in (said, wanted))
    rows = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)

    def metrics(sums: Numbers) -> dict[str, float]:
        of_x, of_y, xx, yy, xy = sums[1:] / max(1.0, sums[0])
        spread = (xx - of_x**2) * (yy - of_y**2)
        return {name: float((xy - of_x * of_y) / np.sqrt(spread)) if spread > 1e-18 else 0.0}

    return Statistics(rows, metrics)
