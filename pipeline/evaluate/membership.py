"""Membership inference: whether an example's loss tells that a model was trained on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.statistics import SAMPLES, Numbers

FALSE_POSITIVES = 0.01
"""Rate at which true positives are told (Carlini et al., 2022, "Membership Inference Attacks From First
Principles")."""
AUC, TRUE_POSITIVES = "auc", "tpr_at_1_percent_fpr"


@dataclass(frozen=True)
class Side:
    """Examples that are all trained on, or all not."""

    scores: Sequence[float]
    """The greater, the likelier the example is taken for one that was trained on."""
    groups: Sequence[str]
    """Examples of one group are drawn together."""


@dataclass(frozen=True)
class Attack:
    """How well scores tell the examples of training from others: an AUC of 0.5 is chance, 1 is certainty."""

    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    """What holds 95 % of the bootstrap samples, of each value."""


def attack(members: Side, others: Side, seed: int) -> Attack:
    """The area under the ROC curve, and the true positives at a low rate of false ones.

    Args:
        members: examples that were trained on.
        others: examples of the same distribution that were not.
        seed: of the bootstrap samples.
    """
    scores = np.concatenate([np.asarray(side.scores, dtype=float) for side in (members, others)])
    scores = np.nan_to_num(scores)  # a model that went wrong tells nothing
    known = np.repeat([1, 0], [len(members.scores), len(others.scores)])
    chance = np.random.default_rng(seed)
    draws = [_values(known, scores, _weights((members, others), chance)) for _ in range(SAMPLES)]
    values = _values(known, scores, np.ones(len(scores)))
    ends = {name: np.percentile([draw[name] for draw in draws], [2.5, 97.5]) for name in values}
    return Attack(values, {name: (float(low), float(high)) for name, (low, high) in ends.items()})


def _weights(sides: Sequence[Side], chance: np.random.Generator) -> Numbers:
    """How often each example is in a bootstrap sample, in which both sides have as many groups as they have."""
    parts = []
    for side in sides:
        names, places = np.unique(np.asarray(side.groups), return_inverse=True)
        parts.append(chance.multinomial(len(names), np.full(len(names), 1 / len(names)))[places])
    return np.concatenate(parts).astype(float)


def _values(known: NDArray[np.int64], scores: Numbers, weights: Numbers) -> dict[str, float]:
    from sklearn.metrics import auc, roc_curve

    there = weights > 0
    false, true, _ = roc_curve(known[there], scores[there], sample_weight=weights[there])
    return {AUC: float(auc(false, true)), TRUE_POSITIVES: float(true[false <= FALSE_POSITIVES].max())}
