"""Thresholds on a model's scores, chosen on examples that were not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def best_threshold(margins: Sequence[float], above: Sequence[float], below: Sequence[float]) -> float:
    """The threshold that gives the greatest sum of scores; of several, the one nearest to 0.

    Args:
        margins: of each example; above the threshold one thing is said, else the other.
        above: the score of each example if the one is said.
        below: if the other is.

    Returns:
        Half way between two margins, or 1 beyond the last.
    """
    finite = np.clip(np.asarray(margins, dtype=np.float64), -1e4, 1e4)
    order = np.argsort(-finite, kind="stable")
    sorted_margins = finite[order]
    gain = (np.asarray(above, dtype=np.float64) - np.asarray(below, dtype=np.float64))[order]
    sums = np.concatenate([[0.0], np.cumsum(gain)])  # of saying the one for the first 0, 1, 2, … of them
    edges = np.concatenate([[sorted_margins[0] + 2], sorted_margins, [sorted_margins[-1] - 2]])
    places = (edges[:-1] + edges[1:]) / 2
    apart = edges[:-1] > edges[1:]  # none lies between equal margins
    best = apart & np.isclose(sums, sums[apart].max(), rtol=0, atol=1e-9)
    low, high = edges[1:][best], edges[:-1][best]
    if np.any((low < 0) & (high > 0)):
        return 0.0
    return float(min(places[best], key=abs))


def best_f1_threshold(probabilities: Sequence[float], truth: Sequence[bool]) -> float:
    """The probability from which a thing is said that gives the best F1; of several, the one nearest to a half.

    Args:
        probabilities: of the thing, by example.
        truth: whether it is there; where it never is, or always, the threshold is a half.
    """
    from sklearn.metrics import precision_recall_curve

    if not any(truth) or all(truth):
        return 0.5
    precision, recall, least = precision_recall_curve(truth, probabilities)
    f1 = 2 * precision[:-1] * recall[:-1] / np.maximum(precision[:-1] + recall[:-1], 1e-12)
    edges = np.concatenate([[0.0], least])
    best = np.isclose(f1, f1.max(), rtol=0, atol=1e-9)
    low, high = (
        edges[:-1][best],
        edges[1:][best],
    )  # any threshold above the one and up to the other does the same
    if np.any((low < 0.5) & (high >= 0.5)):
        return 0.5
    return float(min((low + high) / 2, key=lambda place: abs(place - 0.5)))
