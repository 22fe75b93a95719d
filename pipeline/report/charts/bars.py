"""Bars for values with names, and columns for counts between borders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.report.charts.frame import HEIGHT, WIDTH, draw_axes, frame
from pipeline.report.charts.svg import Drawing, box, opened, room, scaled, short, shortened, spot, write

_BAR, _STEP = 18.0, 25.0
"""Height of a bar, and from one to the next."""


@dataclass(frozen=True)
class _Whisker:
    low: float
    high: float


def bars(
    title: str,
    values: Mapping[str, float],
    unit: str = "",
    highlight: str = "",
    intervals: Mapping[str, Mapping[str, float]] | None = None,
) -> Drawing:
    """A horizontal bar for each value, in order from the top, with its number at the end.

    Args:
        title: what the chart shows, for readers who cannot see it.
        values: lengths by name.
        unit: written after each number.
        highlight: the bar that stands out; without it all look alike.
        intervals: ``low`` and ``high`` by name, drawn over the bar; none where it is not known.

    Returns:
        An ``svg`` element, or an empty string where there is no finite value.
    """
    drawn = {name: value for name, value in values.items() if math.isfinite(value)}
    if not drawn:
        return Drawing()
    ends = {name: _Whisker(**found) for name, found in (intervals or {}).items() if name in drawn}
    numbers = {name: short(value) + unit for name, value in drawn.items()}
    left = 6 + max(room(shortened(name)) for name in drawn)
    right = WIDTH - 12 - max(map(room, numbers.values()))
    longest = max([*map(abs, drawn.values()), *(max(abs(e.low), abs(e.high)) for e in ends.values())]) or 1.0
    said = ", ".join(f"{name} {number}" for name, number in numbers.items())
    svg = opened(title, said, WIDTH, 8 + _STEP * len(drawn))
    for row, (name, value) in enumerate(drawn.items()):
        y = 6 + _STEP * row
        stands_out = name == highlight or not highlight
        end = ends.get(name)
        told = f"{name}: {numbers[name]}"
        group = spot(svg, told + (f", 95 %: {short(end.low)} to {short(end.high)}" if end else ""))
        length = abs(value) / longest * (right - left)
        fill = f"fill: var(--series-{1 if stands_out else 3})"
        box(group, left, y, max(length, 0.5), _BAR, rx="2", style=fill)
        write(group, left - 6, y + 13, shortened(name), "end")
        reach = length
        if end:
            low, high = (max(0.0, edge) / longest * (right - left) for edge in (end.low, end.high))
            box(group, left + low, y + _BAR / 2 - 1, max(high - low, 1), 2, fill="currentColor")
            for edge in (low, high):
                box(group, left + edge - 0.75, y + 5, 1.5, 8, fill="currentColor")
            reach = max(length, high)
        write(group, left + reach + 6, y + 13, numbers[name])
    return Drawing.of(svg)


def histogram(
    title: str,
    borders: Sequence[float],
    counts: Sequence[int],
    x_label: str,
    y_label: str,
) -> Drawing:
    """A column for the count between each two borders; columns are equally wide whatever the borders are.

    Args:
        title: what the chart shows, for readers who cannot see it.
        borders: one more than there are counts, rising.
        counts: how many there are from a border up to the next.
        x_label: quantity along the bottom.
        y_label: what is counted.

    Returns:
        An ``svg`` element, or an empty string where nothing was counted.
    """
    if not sum(counts):
        return Drawing()
    inside = frame((0, len(counts)), (0, max(counts)))
    named = [
        f"{_border(low)} to {_border(high)}: {count:,}"
        for low, high, count in zip(borders[:-1], borders[1:], counts, strict=True)
    ]
    svg = opened(title, "; ".join(named), WIDTH, HEIGHT)
    draw_axes(svg, inside, x_label, y_label, marks=_marks(borders))
    floor = inside.y.at(0)
    for place, (count, told) in enumerate(zip(counts, named, strict=True)):
        x, end = inside.x.at(place), inside.x.at(place + 1)
        height = floor - inside.y.at(count)
        group = spot(svg, f"{told} {y_label}")
        # All of the column's height answers, so that a low one can be pointed at too.
        box(group, x, inside.y.end, end - x, floor - inside.y.end, fill="transparent")
        box(group, x + 0.5, floor - height, end - x - 1, height, style="fill: var(--series-1)")
    return Drawing.of(svg)


def _marks(borders: Sequence[float]) -> dict[float, str]:
    """Every so-manieth border with its number, as many as there is room for."""
    every = math.ceil(len(borders) / 8)
    return {float(place): _border(borders[place]) for place in range(0, len(borders), every)}


def _border(value: float) -> str:
    return scaled(value) if value == int(value) else f"{value:.4g}"
