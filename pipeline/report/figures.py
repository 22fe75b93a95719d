"""Figures of a page: a chart with its numbers in a table beside, and curves along steps, tokens or seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.report.charts import Drawing, lines, thinned

AXES = {"steps": "step", "tokens": "tokens", "seconds": "seconds"}
"""What curves can be drawn along, by the field of the log that has it."""
_LABELS = {"steps": "step", "tokens": "tokens", "seconds": "seconds of training"}


@dataclass(frozen=True)
class Figure:
    """A chart, drawn once or along each of several axes, and the numbers that it shows."""

    drawings: Mapping[str, Drawing]
    """By the axis; of a chart that has no choice of it, one without a name."""
    head: Sequence[str] = ()
    """Of the table of its numbers."""
    rows: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    """Of that table, by series; none where the chart says its numbers itself."""

    def __bool__(self) -> bool:
        return any(self.drawings.values())


def plain(drawing: Drawing) -> Figure:
    """A chart that says its numbers itself."""
    return Figure({"": drawing})


def shown(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Figures by caption, without those that there is nothing for."""
    return {caption: figure for caption, figure in figures.items() if figure}


@dataclass(frozen=True)
class Point:
    """A logged number, and how far the training was."""

    at: Mapping[str, float]
    """By axis; without those that the log does not tell."""
    value: float


def curve(log: Iterable[Mapping[str, Any]], quantity: str, run: str = "") -> list[Point]:
    """A logged quantity of one training.

    A line that tells no tokens and seconds, such as a measurement's, has those of the line before it.

    Args:
        log: entries of ``log.jsonl``.
        quantity: field of the log.
        run: which training, where the log holds several.
    """
    found: list[Point] = []
    at: dict[str, float] = {}
    for entry in log:
        if entry.get("run", "") != run:
            continue
        at |= {axis: entry[name] for axis, name in AXES.items() if name in entry}
        if quantity in entry:
            found.append(Point(dict(at), entry[quantity]))
    return found


def curves(
    title: str,
    series: Mapping[str, Sequence[Point]],
    y_label: str,
    levels: Mapping[str, float] | None = None,
) -> Figure:
    """Curves of several trainings along each axis that all of their points have.

    Args:
        title: what the chart shows.
        series: points by name.
        y_label: quantity and unit.
        levels: numbers to compare with, by name.
    """
    drawn = {name: thinned(points) for name, points in series.items() if points}
    every = [point for points in drawn.values() for point in points]
    axes = [axis for axis in AXES if every and all(axis in point.at for point in every)]
    drawings = {
        axis: lines(
            f"{title} by {AXES[axis]}",
            {name: [(point.at[axis], point.value) for point in points] for name, points in drawn.items()},
            _LABELS[axis],
            y_label,
            levels,
        )
        for axis in axes
    }
    rows = {
        name: [[*(exact(point.at[axis]) for axis in axes), exact(point.value)] for point in points]
        for name, points in drawn.items()
    }
    return Figure(drawings, [*axes, y_label], rows)


def exact(value: float) -> str:
    """A number as a table of a chart has it: whole ones, or five digits."""
    if not math.isfinite(value):
        return ""
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 10_000 else f"{value:.5g}"


def counted(drawing: Drawing, head: Sequence[str], borders: Sequence[float], counts: Sequence[int]) -> Figure:
    """A histogram with a row for each column.

    Args:
        drawing: the histogram.
        head: what the borders are of, lower and upper, and what is counted.
        borders: one more than there are counts.
        counts: how many there are from a border up to the next.
    """
    rows = zip(borders[:-1], borders[1:], counts, strict=True)
    return Figure({"": drawing}, head, {"": [[exact(low), exact(high), exact(n)] for low, high, n in rows]})
