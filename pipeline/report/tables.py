"""The table of a finished stage, and plain sentences on what beats the model."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.artifacts import DETAILS, PREDICTIONS, WORST, Artifact
from pipeline.processes import is_main
from pipeline.report.privacy import PRIVACY, bound

if TYPE_CHECKING:
    from pipeline.report.compare import Compared

Metrics = Mapping[str, Mapping[str, Any]]
"""One object for each row of a table, numbers only."""
Details = Mapping[str, Mapping[str, Any]]
"""By row, what the table of numbers does not hold."""
METRIC_NAMES = {
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "mae": "MAE",
    "rmse": "RMSE",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "matthews_correlation": "Matthews correlation",
    "bleu": "BLEU",
    "chrf": "chrF",
    "chrf++": "chrF++",
    "f1": "F1",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "ece": "ECE",
    "mfu": "MFU",
    "watt_hours": "Wh",
    "co2_grams": "g of CO₂",
}
"""Metrics whose name is not their key in words."""
ABSENT = "–"
_MODEL = "model"
_WIDE = 10_000
"""Columns of an output that is no terminal: nothing is wrapped or cut."""
_ONE_DIGIT = frozenset({"seconds", "tokens_per_second"})
_BELOW = ("mfu", "watt_hours", "co2_grams")
"""Metrics of trainings that stand under the table on the terminal, which is narrow."""
_COUNTS = frozenset({"support"})
"""Counts that a library gives as floating-point numbers."""


@dataclass(frozen=True)
class MainMetric:
    """What the rows of a stage are compared by."""

    name: str
    lower_is_better: bool

    def beats(self, value: float, other: float) -> bool:
        """Whether ``value`` is the better one; never for a value that is not a number."""
        return value < other if self.lower_is_better else value > other


def main_metric(stage: str, metrics: Iterable[str] = ()) -> MainMetric | None:
    """The metric that a stage is judged by, by the metrics that its rows have; None where nothing competes."""
    from pipeline.stages import method_of, task_of
    from pipeline.tasks import TASKS
    from pipeline.train.align import MAIN_METRICS

    if stage == "pretrain":
        known = set(metrics)  # of objectives without bits per byte the loss
        name = "loss" if "loss" in known and "bits_per_byte" not in known else "bits_per_byte"
        return MainMetric(name, lower_is_better=True)
    if method := method_of(stage):
        return MainMetric(MAIN_METRICS[method], lower_is_better=False)
    task = TASKS.get(task_of(stage))
    return MainMetric(*task.judged_by(set(metrics))) if task else None


def print_metrics(artifact: Artifact) -> None:
    """Print the metrics of a finished stage, and under them every rival that the model does not beat.

    Raises:
        GroundupError: when ``metrics.json`` is missing or damaged.
    """
    if not is_main():
        return
    stage, metrics = str(artifact.manifest().get("stage", artifact.path.name)), artifact.metrics()
    details = artifact.details()
    print_table(
        Text(stage, style="bold"),
        _table(metrics, main_metric(stage, columns(metrics)), intervals(stage, details)),
    )
    for name in _BELOW:
        told = [f"{row} {number(values[name], name)}" for row, values in metrics.items() if name in values]
        if told:
            print(f"{words(name)} of the training: {', '.join(told)}")
    for sentence in verdicts(stage, metrics, details):
        print(sentence)
    if said := bound(metrics.get(_MODEL, {})):
        print(said)
    if details:
        for name, said in details.get(_MODEL, {}).get("signatures", {}).items():
            print(f"{words(name)}: {said}")
        print(f"By class, by length, one by one: {DETAILS}, {WORST} and {PREDICTIONS} in {artifact.path}")


def print_table(*parts: Table | Text) -> None:
    """Print tables and their titles: as wide as the terminal, or as they are where there is none."""
    Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False).print(*parts, sep="\n")


def verdicts(stage: str, metrics: Metrics, details: Details | None = None) -> list[str]:
    """One sentence for each row that the model does not surely beat, by the stage's main metric.

    Args:
        stage: whose table it is.
        metrics: of every row.
        details: where they say how far chance goes (``pipeline/train/judging.py``), it is said too.
    """
    metric = main_metric(stage, columns(metrics))
    ours = metrics.get(_MODEL, {}).get(metric.name) if metric else None
    if metric is None or ours is None:
        return []
    if math.isnan(ours):
        return [f"The model's {metric.name} is not a number: its training went wrong."]
    return list(_losses(metric, ours, metrics, (details or {}).get(_MODEL, {}).get("against", {})))


def _losses(
    metric: MainMetric, ours: float, metrics: Metrics, against: Mapping[str, Mapping[str, float]]
) -> Iterator[str]:
    for row, values in metrics.items():
        theirs = values.get(metric.name)
        if row == _MODEL or theirs is None:
            continue
        mine, other = told_apart(ours, theirs)
        chance = _chance(against.get(row))
        if theirs == ours:
            yield f"The model does no better than {row} on {words(metric.name)}: {number(ours)} each."
        elif metric.beats(theirs, ours):
            yield f"The model loses to {row} on {words(metric.name)}: {mine} against {other}{chance}."
        elif against and against[row]["low"] <= 0 <= against[row]["high"]:
            lead = f"The model's lead over {row} on {words(metric.name)} may be chance"
            yield f"{lead}: {mine} against {other}{chance}."


def _chance(difference: Mapping[str, float] | None) -> str:
    if difference is None:
        return ""
    low, high = told_apart(difference["low"], difference["high"])
    return f" (95 % of the difference: {low} to {high}; p = {number(difference['p'])})"


def columns(metrics: Metrics) -> list[str]:
    """Every metric of any row, in order of appearance; what is told in a sentence is none."""
    names = dict.fromkeys(name for row in metrics.values() for name in row)
    return [name for name in names if name not in PRIVACY]


def words(name: str) -> str:
    """The name of a metric, a row or a count as words; a metric's as the field writes it."""
    return METRIC_NAMES.get(name) or name.replace("_", " ")


def heading(name: str) -> str:
    """The same with a capital, but for a word that has its own, such as chrF."""
    said = words(name)
    first = said.split()[0]
    return said if first != first.lower() else said[:1].upper() + said[1:]


def number(value: Any, name: str = "") -> str:
    """A number for a table: whole ones with separators, others with three decimals or fewer.

    Args:
        value: of the metric; None where a row lacks it.
        name: of the metric; durations and rates are rounded to what a reader needs.
    """
    if value is None:
        return ABSENT
    if isinstance(value, int) or name in _COUNTS or abs(value) >= 1000:
        return f"{value:,.0f}"
    if name in _ONE_DIGIT or abs(value) >= 100:
        return f"{value:.1f}"
    return f"{value:.2g}" if 0 < abs(value) < 0.001 else f"{value:.3f}"


def told_apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers with as many decimals as it takes to see the difference, where there is one."""
    texts = number(one), number(other)
    if one == other:
        return texts
    for decimals in range(4, 17):
        if texts[0] != texts[1]:
            break
        texts = f"{one:.{decimals}f}", f"{other:.{decimals}f}"
    return texts


def print_compared(found: Sequence[Compared]) -> None:
    """Print how two runs compare, a row for each task."""
    rows = [
        [
            task.task,
            heading(task.metric),
            *map(number, task.scores),
            " to ".join(told_apart(task.low, task.high)),
            number(task.p),
            number(task.examples),
            task.verdict,
        ]
        for task in found
    ]
    head = ["", "metric", "first", "second", "95 % of the difference", "p", "examples", ""]
    print_table(drawn(head, rows, words=2))


def intervals(stage: str, details: Details) -> dict[str, str]:
    """What holds the main metric of each row with 95 %, where it is known."""
    told = {}
    for row, values in details.items():
        metric = main_metric(stage, values.get("intervals", ()))
        if metric and (said := interval(values, metric.name)):
            told[row] = said
    return told


def interval(values: Mapping[str, Any], metric: str) -> str:
    """What holds a metric of a row with 95 %, by the row's details; empty where it is not known."""
    ends = values.get("intervals", {}).get(metric)
    return " to ".join(told_apart(ends["low"], ends["high"])) if ends else ""


def _table(metrics: Metrics, main: MainMetric | None, intervals: Mapping[str, str]) -> Table:
    if _MODEL in metrics:
        names = [name for name in columns(metrics) if name not in _BELOW]
        rows = [[row, *(number(values.get(n), n) for n in names)] for row, values in metrics.items()]
        if main and intervals:
            place = names.index(main.name) + 1
            names.insert(place, "95 %")
            for row in rows:
                row.insert(place + 1, intervals.get(row[0], ABSENT))
        return drawn(["", *names], rows)
    counts = [
        [group, name, number(value, name)]
        for group, values in metrics.items()
        for name, value in values.items()
    ]
    return drawn(["", "", "number"], counts, words=2)


def drawn(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> Table:
    """A table whose first ``words`` columns are words and whose others are numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, title in enumerate(head):
        table.add_column(Text(title), justify="left" if place < words else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row), style="bold" if row[0] == _MODEL else None)
    return table
