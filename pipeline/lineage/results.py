"""What came of each rung: its scores, and what they took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.artifacts import LOG, Artifact, read_log
from pipeline.lineage.rungs import lacks, run_of
from pipeline.recipe import Rung
from pipeline.report.tables import MainMetric, main_metric
from pipeline.stages import Run
from pipeline.train.objectives import objective_named

PRETRAIN = "pretrain"
BITS = MainMetric("bits_per_byte", lower_is_better=True)
"""What pre-training is judged by; where an objective has none, its own loss is no measure beside others'."""
_MODEL = "model"
_BY_CLASS = "macro_f1"
"""Of tasks with classes: those that are rare count as much as the others."""


@dataclass(frozen=True)
class Score:
    """What a rung reached on held-out data, with what holds it with 95 % where that is known; or why it has none."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Spent:
    """What trainings took; None where it was not measured."""

    flops: float | None = None
    """Of the forward and backward passes (``pipeline.model.cost.Cost``)."""
    seconds: float = 0.0
    watt_hours: float | None = None


@dataclass(frozen=True)
class Climbed:
    """A rung that is finished."""

    name: str
    rung: Rung
    run: Run
    scores: Mapping[str, Score]
    """By column: ``pretrain``, and each task."""
    parameters: int
    tokens: int
    """Of text that it was pre-trained on."""
    pretraining: Spent
    finetuning: Spent
    """Of all tasks together."""


@dataclass(frozen=True)
class Lineage:
    """All finished rungs, in order."""

    metrics: Mapping[str, MainMetric]
    """By column."""
    rungs: Sequence[Climbed]

    def of(self, name: str) -> Climbed:
        """The rung of a name."""
        return next(rung for rung in self.rungs if rung.name == name)


def results(base: Run, tasks: Sequence[str]) -> Lineage:
    """What there is of all rungs that are finished with the settings as they are now.

    Args:
        base: the run of the recipe with the rungs.
        tasks: those that a rung has to be finished for, unless it cannot do them.
    """
    metrics = {PRETRAIN: BITS}
    rungs = []
    for name in base.recipe.lineage:
        run = run_of(base, name)
        missing = {task: lacks(run, task) for task in tasks}
        stages = {task: run.stage_of(task) for task in tasks if not missing[task]}
        if all(map(run.is_finished, (PRETRAIN, *stages.values()))):
            done = {task: run.artifact(stage) for task, stage in stages.items()}
            rungs.append(_climbed(base.recipe.lineage[name], run, done, missing))
            metrics |= {task: _judge(stages[task], done[task].metrics()[_MODEL]) for task in done}
    return Lineage({column: metrics[column] for column in (PRETRAIN, *tasks) if column in metrics}, rungs)


def _judge(stage: str, row: Mapping[str, Any] | Sequence[str]) -> MainMetric:
    """The metric of a column: that of the stage, or macro F1 where its rows have that."""
    if _BY_CLASS in row:
        return MainMetric(_BY_CLASS, lower_is_better=False)
    metric = main_metric(stage, row)
    assert metric is not None  # every stage that trains has one
    return metric


def _climbed(rung: Rung, run: Run, done: Mapping[str, Artifact], missing: Mapping[str, str]) -> Climbed:
    pretrained = run.artifact(PRETRAIN)
    row = pretrained.metrics()[_MODEL]
    no_bits = objective_named(run.recipe.pretrain.objective).no_bits
    scores = {PRETRAIN: Score(row.get(BITS.name), why=no_bits)}
    for task, why in missing.items():
        scores[task] = Score(why=why) if why else _score(run.stage_of(task), done[task])
    return Climbed(
        run.recipe.name,
        rung,
        run,
        scores,
        row["parameters"],
        row["tokens"],
        _spent([(pretrained, "")]),
        _spent([(artifact, _MODEL) for artifact in done.values()]),
    )


def _score(stage: str, artifact: Artifact) -> Score:
    row = artifact.metrics()[_MODEL]
    metric = _judge(stage, row).name
    ends = artifact.details().get(_MODEL, {}).get("intervals", {}).get(metric, {})
    return Score(row[metric], ends.get("low"), ends.get("high"))


def _spent(trainings: Sequence[tuple[Artifact, str]]) -> Spent:
    """Of trainings by their stage and their name in its log."""
    rows = [artifact.metrics()[_MODEL] for artifact, _ in trainings]
    return Spent(
        _sum([_flops(artifact, run) for artifact, run in trainings]),
        sum(row["seconds"] for row in rows),
        _sum([row.get("watt_hours") for row in rows]),
    )


def _sum(parts: Sequence[float | None]) -> float | None:
    """None where one is not known."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _flops(artifact: Artifact, run: str) -> float | None:
    """Of one training, by its log: tokens, padding left out, times the operations of each."""
    log = [entry for entry in read_log(artifact.path / LOG) if entry.get("run", "") == run]
    each = next((entry["flops_per_token"] for entry in log if "flops_per_token" in entry), None)
    tokens = next((entry["tokens"] for entry in reversed(log) if "tokens" in entry), None)
    return None if each is None or tokens is None else float(each) * tokens
