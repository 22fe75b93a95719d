"""Membership inference: whether an example's loss tells that a model was trained on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

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
    known = np.repeat([1.0, 0.0], [len(members.scores), len(others.scores)])
    chance = np.random.default_rng(seed)
    times = np.stack([np.ones(len(scores)), *(_drawn((members, others), chance) for _ in range(SAMPLES))])
    found = {name: values.tolist() for name, values in _values(known, scores, times).items()}
    ends = {name: np.percentile(drawn, [2.5, 97.5]) for name, (_, *drawn) in found.items()}
    return Attack(
        {name: whole for name, (whole, *_) in found.items()},
        {name: (float(low), float(high)) for name, (low, high) in ends.items()},
    )


def _drawn(sides: Sequence[Side], chance: np.random.Generator) -> Numbers:
    """How often each example is in a bootstrap sample, in which both sides have as many groups as they have."""
    parts = []
    for side in sides:
        names, places = np.unique(np.asarray(side.groups), return_inverse=True)
        parts.append(chance.multinomial(len(names), np.full(len(names), 1 / len(names)))[places])
    return np.concatenate(parts).astype(float)


def _values(known: Numbers, scores: Numbers, times: Numbers) -> dict[str, Numbers]:
    """Of all bootstrap samples at once, what scikit-learn's ``roc_curve`` and ``auc`` say of one.

    Args:
        known: 1 for each example of training, else 0, ``(examples,)``.
        scores: ``(examples,)``.
        times: how often each example is there, ``(samples, examples)``.

    Returns:
        Values by name, ``(samples,)``.
    """
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    true, false = (
        np.pad((times * side)[:, order].cumsum(1)[:, last_of_ties], ((0, 0), (1, 0)))
        for side in (known, 1 - known)
    )
    true, false = true / true[:, -1:], false / false[:, -1:]
    return {
        AUC: np.trapezoid(true, false, axis=1),
        TRUE_POSITIVES: np.where(false <= FALSE_POSITIVES, true, 0.0).max(1),
    }
