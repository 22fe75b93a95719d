"""The table of a lineage, what each step bought, and why a cell is empty."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from pipeline.lineage.results import PRETRAIN, Climbed, Lineage, Score
from pipeline.lineage.steps import Step
from pipeline.processes import is_main
from pipeline.report.tables import ABSENT, MainMetric, drawn, number, print_table, told_apart, words

_TERA = 1e12
NOTE = (
    "Gains are positive where a rung is better than the last one before it with the same score; 95 % of the bootstrap "
    "samples of the held-out examples lie between two numbers. There is one training of each: another seed would move "
    "the numbers too."
)
"""What the numbers mean."""


def print_lineage(lineage: Lineage, found: Sequence[Step]) -> None:
    """Print the rungs, what each bought, and why what is missing is missing."""
    if not is_main():
        return
    head, rows = table(lineage)
    print_table(Text("lineage", style="bold"), drawn(head, rows))
    for sentence in absent(lineage):
        print(sentence)
    head, rows = bought(lineage, found)
    if rows:
        print_table(Text("\nwhat each step bought", style="bold"), drawn(head, rows, words=2))
    print(NOTE)


def table(lineage: Lineage) -> tuple[list[str], list[list[str]]]:
    """Head and rows: scores with what holds them with 95 %, and what they took."""
    head = ["", "year", *titles(lineage).values(), *COSTS]
    return head, [_row(rung, lineage) for rung in lineage.rungs]


COSTS = ("parameters", "tokens", "TFLOP pre-training", "TFLOP tasks", "seconds", "Wh")


def titles(lineage: Lineage) -> dict[str, str]:
    """What a column is called, by its name."""
    return {name: title(name, metric) for name, metric in lineage.metrics.items()}


def title(column: str, metric: MainMetric) -> str:
    """What is measured in a column, with an arrow to where it is better."""
    return f"{measured(column, metric)} {'↓' if metric.lower_is_better else '↑'}"


def measured(column: str, metric: MainMetric) -> str:
    """A column's task, where it has one, and its metric."""
    task = "" if column == PRETRAIN else f"{column} "
    return f"{task}{words(metric.name)}"


def _row(rung: Climbed, lineage: Lineage) -> list[str]:
    return [
        rung.name,
        str(rung.rung.year),
        *(_cell(rung.scores[column]) for column in lineage.metrics),
        *costs(rung),
    ]


def costs(rung: Climbed) -> list[str]:
    """By ``COSTS``: FLOPs of pre-training and of the tasks are in 10¹², seconds and Wh are those of both."""
    one, other = rung.pretraining, rung.finetuning
    known = [spent.watt_hours for spent in (one, other) if spent.watt_hours is not None]
    return [
        number(rung.parameters),
        number(rung.tokens),
        *(number(spent.flops / _TERA if spent.flops else None) for spent in (one, other)),
        number(one.seconds + other.seconds, "seconds"),
        number(sum(known) if len(known) == 2 else None),
    ]


def _cell(score: Score) -> str:
    return "\n".join(filter(None, (number(score.value), ends(score))))


def ends(score: Score) -> str:
    """What holds a score with 95 %; empty where it is not known."""
    return "" if score.low is None or score.high is None else " to ".join(told_apart(score.low, score.high))


def absent(lineage: Lineage) -> list[str]:
    """One sentence for each reason why rungs have no score."""
    things: dict[str, dict[str, None]] = {}
    names: dict[str, dict[str, None]] = {}
    for rung in lineage.rungs:
        for column, score in rung.scores.items():
            if score.why:
                things.setdefault(score.why, {})["bits per byte" if column == PRETRAIN else column] = None
                names.setdefault(score.why, {})[rung.name] = None
    return [f"No {_listed(things[why])} of {_listed(names[why])}: {why}." for why in things]


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def bought(lineage: Lineage, found: Sequence[Step]) -> tuple[list[str], list[list[str]]]:
    """Head and rows: by how much each rung is better than the one before, and whether that may be chance."""
    rows = [
        [name, lineage.of(name).rung.changed, *("\n".join(lines) for lines in cells.values())]
        for name, cells in gains(lineage, found).items()
    ]
    return ["", "what changed", *titles(lineage).values()], rows


def gains(lineage: Lineage, found: Sequence[Step]) -> dict[str, dict[str, list[str]]]:
    """By rung and by what the column is called, the lines of a cell."""
    rows: dict[str, dict[str, list[str]]] = {}
    above = {after.name: before.name for before, after in itertools.pairwise(lineage.rungs)}
    for step in found:
        row = rows.setdefault(step.rung, {name: [ABSENT] for name in titles(lineage).values()})
        row[titles(lineage)[step.column]] = list(_gain(step, above[step.rung]))
    return rows


def _gain(step: Step, above: str) -> Iterator[str]:
    """The gain, its interval, since which rung where that is not the one above, and whether it may be chance."""
    yield f"{step.gain:+.3f}"
    if step.low is not None and step.high is not None:
        yield f"{step.low:+.3f} to {step.high:+.3f}"
    if step.since != above:
        yield f"since {step.since}"
    if step.may_be_chance:
        yield "may be chance"
