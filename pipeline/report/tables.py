"""The table of a finished stage, and plain sentences on what beats the model."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.artifacts import Artifact, read_json
from pipeline.processes import is_main

Metrics = Mapping[str, Mapping[str, Any]]
"""One object for each row of a table, numbers only."""
METRIC_NAMES = {
    "macro_f1": "macro F1",
    "bleu": "BLEU",
    "chrf": "chrF",
    "f1": "F1",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
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


def main_metric(stage: str) -> MainMetric | None:
    """The metric that a stage is judged by; None for one that nothing competes with."""
    from pipeline.tasks import TASKS

    if stage == "pretrain":
        return MainMetric("bits_per_byte", lower_is_better=True)
    task = TASKS.get(stage.removeprefix("finetune/"))
    return MainMetric(task.main_metric, task.lower_is_better) if task else None


def print_metrics(artifact: Artifact) -> None:
    """Print the metrics of a finished stage, and under them every rival that the model does not beat.

    Raises:
        GroundupError: when ``metrics.json`` is missing or damaged.
    """
    if not is_main():
        return
    stage, metrics = str(artifact.manifest().get("stage", artifact.path.name)), artifact.metrics()
    print_table(Text(stage, style="bold"), _table(metrics))
    for name in _BELOW:
        told = [f"{row} {number(values[name], name)}" for row, values in metrics.items() if name in values]
        if told:
            print(f"{words(name)} of the training: {', '.join(told)}")
    for sentence in verdicts(stage, metrics):
        print(sentence)
    details = artifact.path / "details.json"
    if details.is_file():
        for name, said in read_json(details).get(_MODEL, {}).get("signatures", {}).items():
            print(f"{words(name)}: {said}")
        print(f"Per class, by kind, one by one: details.json and predictions.jsonl in {artifact.path}")


def print_table(*parts: Table | Text) -> None:
    """Print tables and their titles: as wide as the terminal, or as they are where there is none."""
    Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False).print(*parts, sep="\n")


def verdicts(stage: str, metrics: Metrics) -> list[str]:
    """One sentence for each row that the model loses to, or only equals, by the stage's main metric."""
    metric = main_metric(stage)
    ours = metrics.get(_MODEL, {}).get(metric.name) if metric else None
    if metric is None or ours is None:
        return []
    if math.isnan(ours):
        return [f"The model's {metric.name} is not a number: its training went wrong."]
    return list(_losses(metric, ours, metrics))


def _losses(metric: MainMetric, ours: float, metrics: Metrics) -> Iterator[str]:
    for row, values in metrics.items():
        theirs = values.get(metric.name)
        if row == _MODEL or theirs is None:
            continue
        if metric.beats(theirs, ours):
            mine, other = _told_apart(ours, theirs)
            yield f"The model loses to {row} on {words(metric.name)}: {mine} against {other}."
        elif theirs == ours:
            yield f"The model does no better than {row} on {words(metric.name)}: {number(ours)} each."


def columns(metrics: Metrics) -> list[str]:
    """Every metric of any row, in order of appearance."""
    return list(dict.fromkeys(name for row in metrics.values() for name in row))


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


def _told_apart(one: float, other: float) -> tuple[str, str]:
    """Two different numbers with as many decimals as it takes to see the difference."""
    texts = number(one), number(other)
    for decimals in range(4, 17):
        if texts[0] != texts[1]:
            break
        texts = f"{one:.{decimals}f}", f"{other:.{decimals}f}"
    return texts


def _table(metrics: Metrics) -> Table:
    if _MODEL in metrics:
        names = [name for name in columns(metrics) if name not in _BELOW]
        rows = [[row, *(number(values.get(n), n) for n in names)] for row, values in metrics.items()]
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
