"""Predictions of several systems on the same held-out examples: scores, how sure they are, and who is ahead."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.corpus.contamination import overlap
from pipeline.evaluate.statistics import Statistics, coarse_enough, draw
from pipeline.tasks.base import Example, Prediction, Task

MODEL = "model"
"""The system that the others are rivals of."""
_WORST = 50
"""Examples that are listed."""
_MOST_KINDS = 20
_PASSAGE = 13
"""Words in a row by which text is known again (Brown et al., 2020, appendix C)."""


@dataclass(frozen=True)
class Judgement:
    """Of every system, by its name."""

    metrics: dict[str, dict[str, float]]
    details: dict[str, dict[str, Any]]
    """What a table of numbers does not hold: the task's own, ``intervals``; of the model ``against``, ``slices``."""
    worst: list[dict[str, Any]]
    """The held-out examples that the model was most wrong about, the surest mistakes first."""


def judge(
    task: Task,
    examples: Sequence[Example],
    predictions: Mapping[str, Sequence[Prediction]],
    seed: int,
    train: Sequence[Example] = (),
) -> Judgement:
    """Score predictions of the same examples, with 95 % bootstrap intervals.

    Examples of one group (a film's reviews, a country's questions) are drawn together, where there are enough groups.
    The model's main metric is set against every rival's on the same samples.

    Args:
        task: whose metrics.
        examples: all held-out ones.
        predictions: one an example, by system, of which ``model`` is one.
        seed: of the samples.
        train: what the systems were trained on; held-out examples that share a passage with it are told apart.
    """
    statistics = {name: task.statistics(examples, said) for name, said in predictions.items()}
    metrics, details = compared(statistics, alike(task, examples), seed, task.main_metric)
    details = {name: {**task.details(examples, said), **details[name]} for name, said in predictions.items()}
    details[MODEL]["slices"] = _slices(task, examples, statistics[MODEL], train)
    worst = _worst(task, examples, predictions[MODEL], statistics[MODEL])
    return Judgement(metrics, details, worst)


def compared(
    statistics: Mapping[str, Statistics], groups: Sequence[str], seed: int, metric: str
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, Any]]]:
    """Metrics of systems on the same examples; their 95 % intervals, and the model's one metric against every rival's.

    Args:
        statistics: by system, of which ``model`` is one.
        groups: of each example; those of one are drawn together.
        seed: of the bootstrap samples.
        metric: the one that the systems are compared by.
    """
    draws = draw(statistics, groups, seed)
    metrics = {name: found.score() for name, found in statistics.items()}
    details: dict[str, dict[str, Any]] = {
        name: {"intervals": {m: _ends(*draws.interval(name, m)) for m in metrics[name]}} for name in metrics
    }
    differences = {name: draws.difference(MODEL, name, metric) for name in metrics if name != MODEL}
    details[MODEL]["against"] = {
        name: {**_ends(found.low, found.high), "p": found.p} for name, found in differences.items()
    }
    return metrics, details


def alike(task: Task, examples: Sequence[Example]) -> Sequence[str]:
    """The groups that examples are drawn by."""
    return coarse_enough([e.group for e in examples], [task.finer_group(e) for e in examples])


def _slices(
    task: Task, examples: Sequence[Example], statistics: Statistics, train: Sequence[Example]
) -> dict[str, dict[str, float | int]]:
    """Metrics by the length of what the model reads, in quarters, by kind, and by what training has seen of it."""
    lengths = np.array([len(task.input_text(example)) for example in examples])
    borders = [0, *np.unique(np.quantile(lengths, [0.25, 0.5, 0.75, 1.0]).astype(int)).tolist()]
    parts = {
        f"{low:,} to {high:,} characters": (lengths > low) & (lengths <= high)
        for low, high in itertools.pairwise(borders)
    }
    kinds = np.array([task.kind(example) for example in examples])
    named = [kind for kind in np.unique(kinds).tolist() if kind][:_MOST_KINDS]
    parts |= {f"kind {kind}": kinds == kind for kind in named}
    if train:
        seen = overlap([task.input_text(e) for e in examples], map(task.input_text, train), _PASSAGE)
        parts |= {f"with {_PASSAGE} words in a row from training": seen, "without": ~seen}
    return {
        name: {**statistics.of(which).score(), "examples": int(which.sum())}
        for name, which in parts.items()
        if which.any()
    }


def _worst(
    task: Task, examples: Sequence[Example], predictions: Sequence[Prediction], statistics: Statistics
) -> list[dict[str, Any]]:
    scores = [float(statistics.of_one(i)[task.main_metric]) for i in range(len(examples))]
    sign = -1 if task.lower_is_better else 1

    def place(number: int) -> tuple[float, float]:
        return sign * scores[number], -float(predictions[number].get("probability", 0.0))

    order = sorted(range(len(examples)), key=place)[:_WORST]
    return [{task.main_metric: scores[i], **examples[i].with_prediction(predictions[i])} for i in order]


def _ends(low: float, high: float) -> dict[str, float]:
    return {"low": low, "high": high}
