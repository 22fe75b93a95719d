"""Lines: a quantity of one or several series along another quantity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TypeVar
from xml.etree.ElementTree import Element, SubElement

from pipeline.report.charts.frame import HEIGHT, WIDTH, Frame, draw_axes, frame
from pipeline.report.charts.svg import Drawing, colour, dashes, opened, room, rule, scaled, shortened, write

Point = TypeVar("Point")
Points = Sequence[tuple[float, float]]
"""Pairs of x and y, in order."""

_MOST_POINTS = 240
"""Points of one line; more cannot be told apart at the width of a page."""
_FEW = 12
"""Points that are marked each."""
_ROW = 18.0
"""Height of a row of the legend."""
_KEY = 26.0
"""Width of a line in it."""


def lines(
    title: str,
    series: Mapping[str, Points],
    x_label: str,
    y_label: str,
    levels: Mapping[str, float] | None = None,
) -> Drawing:
    """A line for each series, marked points where there are few, and dashed levels to compare with.

    Args:
        title: what the chart shows, for readers who cannot see it.
        series: points by name.
        x_label: quantity along the bottom.
        y_label: quantity and unit along the side.
        levels: values of y by name.

    Returns:
        An ``svg`` element, or an empty string where there is not one point.
    """
    drawn = {name: thinned(points) for name, points in series.items() if _finite(points)}
    if not drawn:
        return Drawing()
    levels = {name: level for name, level in (levels or {}).items() if math.isfinite(level)}
    pairs = [pair for points in drawn.values() for pair in _finite(points)]
    heights = [*(y for _, y in pairs), *levels.values()]
    wide = [x for x, _ in pairs]
    legend = _legend(list(drawn)) if len(drawn) > 1 else []
    above = _ROW * len(legend)
    inside = frame((min(wide), max(wide)), (min(heights), max(heights)), above)
    said = "; ".join(
        f"{name} from {points[0][1]:.4g} to {points[-1][1]:.4g}" for name, points in drawn.items()
    )
    svg = opened(title, said, WIDTH, HEIGHT + above)
    whole = all(x == int(x) for x in wide)
    draw_axes(svg, inside, x_label, y_label, {x: scaled(x) for x in inside.x.ticks(5, whole)})
    _draw_levels(svg, inside, levels)
    for number, points in enumerate(drawn.values()):
        _draw(svg, inside, number, points)
    for row, entries in enumerate(legend):
        for x, number, name in entries:
            _draw_key(svg, x, 8 + _ROW * row, number, name)
    return Drawing.of(svg)


def thinned(points: Sequence[Point]) -> Sequence[Point]:
    """Every n-th point, counted from the last, so that the last one always stays."""
    every = max(1, math.ceil(len(points) / _MOST_POINTS))
    return points[::-1][::every][::-1]


def _finite(points: Points) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points if math.isfinite(y)]


def _draw(svg: Element, inside: Frame, number: int, points: Points) -> None:
    """A line with gaps where values are no numbers."""
    places = [(inside.x.at(x), inside.y.at(y) if math.isfinite(y) else math.nan) for x, y in points]
    pieces = [list(piece) for whole, piece in groupby(places, lambda p: math.isfinite(p[1])) if whole]
    path = " ".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in piece) for piece in pieces)
    paint = {"fill": "none", "stroke": colour(number), "stroke-width": "1.8", **dashes(number)}
    SubElement(svg, "path", {"d": path, "data-curve": str(number), **paint})
    for x, y in (place for piece in pieces for place in piece if min(len(piece), len(points) - _FEW) < 2):
        SubElement(svg, "circle", {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "2.6", "fill": colour(number)})


def _draw_levels(svg: Element, inside: Frame, levels: Mapping[str, float]) -> None:
    """Dashed lines with their names at the end: above them, and below where another is close above."""
    taken: list[float] = []
    for name, level in sorted(levels.items(), key=lambda pair: -pair[1]):
        place = inside.y.at(level)
        rule(svg, inside.x.begin, place, inside.x.end, place, opacity="0.6", **{"stroke-dasharray": "4 3"})
        near = any(abs(place - 4 - other) < 13 for other in taken)
        baseline = place + 13 if near else place - 4
        taken.append(baseline)
        write(svg, inside.x.end, baseline, f"{name} {level:.3g}", "end", 11)


def _legend(names: Sequence[str]) -> list[list[tuple[float, int, str]]]:
    """Rows of places, numbers and names of series, as many beside each other as there is room for."""
    rows: list[list[tuple[float, int, str]]] = [[]]
    x = 30.0
    for number, name in enumerate(map(shortened, names)):
        width = _KEY + 6 + room(name) + 14
        if rows[-1] and x + width > WIDTH:
            rows.append([])
            x = 30.0
        rows[-1].append((x, number, name))
        x += width
    return rows


def _draw_key(svg: Element, x: float, y: float, number: int, name: str) -> None:
    rule(svg, x, y, x + _KEY, y, **{**dashes(number), "stroke": colour(number), "stroke-width": "2"})
    write(svg, x + _KEY + 6, y + 4, name)
