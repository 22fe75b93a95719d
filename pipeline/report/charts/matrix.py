"""A confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.report.charts.frame import WIDTH
from pipeline.report.charts.svg import Drawing, box, opened, room, shortened, spot, write

_MOST_CLASSES = 30
"""Rows of a matrix; more cannot be read."""
_CELL = 44


def matrix(title: str, names: Sequence[str], counts: Sequence[Sequence[int]]) -> Drawing:
    """A confusion matrix: the darker a cell, the larger its share of its row.

    Args:
        title: what the chart shows, for readers who cannot see it.
        names: of the classes.
        counts: a row for each true class, a column for each predicted one.

    Returns:
        An ``svg`` element, or an empty string where there are no classes, or too many to be read.
    """
    if not 0 < len(names) <= _MOST_CLASSES:
        return Drawing()
    left = 30 + max(room(shortened(name)) for name in names)
    size = left + _CELL * len(names)
    said = "; ".join(
        f"of {sum(values)} {name} {values[row]} right"
        for row, (name, values) in enumerate(zip(names, counts, strict=True))
    )
    svg = opened(title, said, max(size, WIDTH), size)
    write(svg, left, 14, "predicted")
    write(svg, 12, left, "true")
    for place, name in enumerate(names):
        middle = left + _CELL * place + _CELL / 2
        turned = f"rotate(-90 {middle + 4:g} {left - 6:g})"
        write(svg, left - 6, middle + 4, shortened(name), "end")
        write(svg, middle + 4, left - 6, shortened(name), transform=turned)
    for row, values in enumerate(counts):
        for column, count in enumerate(values):
            share = count / max(1, sum(values))
            x, y = left + _CELL * column, left + _CELL * row
            told = f"true {names[row]}, predicted {names[column]}: {count:,} ({share:.1%} of the row)"
            group = spot(svg, told)
            paint = {"fill": "var(--series-1)", "fill-opacity": f"{0.05 + 0.6 * share:.3f}"}
            box(group, x, y, _CELL - 2, _CELL - 2, rx="3", **paint)
            write(group, x + _CELL / 2 - 1, y + _CELL / 2 + 3, f"{count:,}", "middle")
    return Drawing.of(svg)
