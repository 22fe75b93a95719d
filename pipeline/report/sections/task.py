"""A fine-tuned or aligned model on the page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pipeline.artifacts import PREDICTIONS, WORST, read_log
from pipeline.evaluate.reliability import Sureness
from pipeline.evaluate.reliability import reliability as bins_of
from pipeline.recipe import Finetune
from pipeline.report.charts import bars, matrix, reliability
from pipeline.report.figures import Figure, curves, exact, plain, shown
from pipeline.report.privacy import bound
from pipeline.report.sections.base import Section
from pipeline.report.sections.examples import Examples, spread, worst_first
from pipeline.report.tables import (
    MainMetric,
    columns,
    heading,
    interval,
    main_metric,
    number,
    told_apart,
    words,
)
from pipeline.settings import from_settings
from pipeline.stages import task_of
from pipeline.tasks import task_named
from pipeline.tasks.base import Example

_RUNS = ("model", "from_scratch")
"""Trainings that the log of a task may hold."""
_ELSEWHERE = ("signatures", "intervals", "against", "confusion")
"""Details that stand in tables and charts of their own."""


class TaskSection(Section):
    """A fine-tuned model beside its rivals, or an aligned one beside itself before."""

    @property
    def title(self) -> str:
        return self.name.partition("/")[2]

    @property
    def figures(self) -> dict[str, Figure]:
        """Charts by caption, without those that there is nothing for."""
        runs = [run for run in _RUNS if any(entry.get("run") == run for entry in self.log)]
        loss = {words(run): self.curve("loss", run) for run in runs}
        reward = {"sampled answers": self.curve("reward", "model")}
        return {
            **shown(
                {
                    **self._scores(),
                    "Confusion on held-out examples": self._confusion(),
                    "Calibration on held-out examples": self._calibration(),
                    "Training loss": curves(f"Training loss, {self.title}", loss, "loss"),
                    "Reward in training": curves(f"Reward, {self.title}", reward, "mean reward"),
                }
            ),
            **(self.training_figures(runs) if runs else {}),
        }

    @cached_property
    def metric(self) -> MainMetric | None:
        """What its rows are compared by."""
        return main_metric(self.name, columns(self.metrics))

    def _scores(self) -> dict[str, Figure]:
        if not self.metric:
            return {}
        metric = self.metric.name
        scores = {words(row): values[metric] for row, values in self.metrics.items() if metric in values}
        every = {words(row): values.get("intervals", {}) for row, values in self._details.items()}
        ends = {row: found[metric] for row, found in every.items() if metric in found}
        better = "lower" if self.metric.lower_is_better else "higher"
        drawing = bars(f"{words(metric)}, {self.title}", scores, highlight="model", intervals=ends)
        return {f"{heading(metric)} on held-out examples ({better} is better)": plain(drawing)}

    def _confusion(self) -> Figure:
        if not {"per_class", "confusion"} <= set(self.details):
            return Figure({})
        names, counts = list(self.details["per_class"]), self.details["confusion"]
        drawing = matrix(f"Confusion, {self.title}", names, counts)
        rows = [[f"true {name}", *(f"{n:,}" for n in row)] for name, row in zip(names, counts, strict=True)]
        return Figure({"": drawing}, ["", *(f"predicted {name}" for name in names)], {"": rows})

    def _calibration(self) -> Figure:
        if self._sureness is None:
            return Figure({})
        bins = bins_of(*self._sureness)
        head = (
            "probability from",
            "to",
            "examples",
            "mean probability",
            "share right",
            "95 % from",
            "95 % to",
        )
        rows = [
            [*map(exact, (b.low, b.high, b.examples, b.probability, b.right, b.least, b.most))] for b in bins
        ]
        return Figure({"": reliability(f"Calibration, {self.title}", bins)}, head, {"": rows})

    @cached_property
    def _sureness(self) -> Sureness | None:
        """What calibration is measured of, by the task; None where it tells no probabilities."""
        name = task_of(self.name)
        if not name or not self._rows or "settings" not in self.manifest:
            return None
        task = task_named(name, from_settings(Finetune, self.manifest["settings"]["finetune"]))
        examples = [Example(row, str(row.get("place", "")), str(row.get("group", ""))) for row in self._rows]
        return task.sureness(examples, self._rows)

    @property
    def intervals(self) -> dict[str, dict[str, str]]:
        """What holds a number with 95 %, by row and metric, where it is known."""
        return {
            row: {name: interval(values, name) for name in values.get("intervals", {})}
            for row, values in self._details.items()
        }

    @property
    def against(self) -> dict[str, dict[str, str]]:
        """How far the model is ahead of each rival by the main metric, and what chance has to do with it."""
        if not self.metric or self.metric.name not in self.model:
            return {}
        ours, metric = self.model[self.metric.name], self.metric.name
        theirs = {row: values[metric] for row, values in self.metrics.items() if metric in values}
        return {
            row: {
                "ahead by": number(ours - theirs[row]),
                "95 %": " to ".join(told_apart(ends["low"], ends["high"])),
                "p": number(ends["p"]),
            }
            for row, ends in self.details.get("against", {}).items()
            if row in theirs
        }

    @cached_property
    def _details(self) -> dict[str, dict[str, Any]]:
        return self.artifact.details()

    @property
    def details(self) -> dict[str, Any]:
        """What the task says of the model beside numbers, by name."""
        return self._details.get("model", {})

    @property
    def facts(self) -> dict[str, Any]:
        """Details that fit in a line each: how metrics were computed, and counts."""
        parts = [value if name == "signatures" else {name: value} for name, value in self.details.items()]
        return {n: v for part in parts for n, v in part.items() if isinstance(v, int | float) or _is_line(v)}

    @property
    def reports(self) -> dict[str, Any]:
        """The other details: text of several lines, a per-class report, results by length."""
        kept = {n: v for n, v in self.details.items() if n not in self.facts and n not in _ELSEWHERE}
        parts = {name: value for name, value in kept.items() if _is_row(value)}
        others = {name: value for name, value in kept.items() if name not in parts}
        return {**({"parts": parts} if parts else {}), **others}

    @property
    def bound(self) -> str:
        """The bound on privacy that its training kept; empty where it kept none."""
        return bound(self.model)

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        return self._lines(PREDICTIONS)

    @property
    def examples(self) -> Examples:
        """Some of all predictions."""
        right = self._sureness.right if self._sureness is not None else None
        by_example = right is not None and all(isinstance(one, bool) for one in right)
        return spread(self._rows, right if by_example else None)

    @property
    def worst(self) -> Examples:
        """The surest mistakes."""
        return worst_first(self._lines(WORST))

    def _lines(self, file: str) -> list[dict[str, Any]]:
        return read_log(self.artifact.path / file)


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and "\n" not in value


def _is_row(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(entry, int | float) for entry in value.values())
