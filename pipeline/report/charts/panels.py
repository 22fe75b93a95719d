"""Panels below each other: several quantities of the same things, which stand beside each other in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from pipeline.report.charts.frame import WIDTH, Scale
from pipeline.report.charts.svg import (
    SMALL,
    Drawing,
    box,
    colour,
    opened,
    room,
    rule,
    scaled,
    spot,
    write,
)

_HEIGHT, _HEAD, _BETWEEN = 112.0, 20.0, 14.0
"""Of a panel, of the line above it, and between two."""
_RIGHT, _TICKS, _TURNED = 12.0, 3, 0.71
"""Free at the right; numbers along the side; sine of the angle at which names stand."""


@dataclass(frozen=True)
class Dot:
    """A value with what holds it with 95 %, where that is known."""

    value: float
    said: str
    """When it is pointed at."""
    low: float | None = None
    high: float | None = None

    @property
    def reach(self) -> tuple[float, float]:
        """The least and the greatest that is drawn of it."""
        ends = [end for end in (self.value, self.low, self.high) if end is not None]
        return min(ends), max(ends)


@dataclass(frozen=True)
class Panel:
    """One quantity."""

    title: str
    dots: Sequence[Dot | str]
    """Of each thing; a text where there is none: what is said there."""


def panels(title: str, names: Sequence[str], shown: Sequence[Panel]) -> Drawing:
    """A panel for each quantity: dots joined in order, whiskers where they are known, gaps where there is no value.

    Args:
        title: what the chart shows, for readers who cannot see it.
        names: of the things, from the left.
        shown: quantities, from the top, each with a dot for every thing.

    Returns:
        An ``svg`` element, or an empty string where there is no value at all.
    """
    drawn = [panel for panel in shown if any(isinstance(dot, Dot) for dot in panel.dots)]
    if not drawn:
        return Drawing()
    left = max(room(scaled(tick), SMALL) for panel in drawn for tick in _scale(panel, 0).ticks(_TICKS)) + 12
    below = 16 + _TURNED * max(room(name, SMALL) for name in names)
    said = "; ".join(f"{panel.title}: {_told(panel, names)}" for panel in drawn)
    each = _HEAD + _HEIGHT + _BETWEEN
    svg = opened(title, said, WIDTH, each * len(drawn) + below)
    step = (WIDTH - _RIGHT - left) / len(names)
    places = [left + step * (number + 0.5) for number in range(len(names))]
    for row, panel in enumerate(drawn):
        _draw(svg, panel, _scale(panel, row * each), places, left)
    for place, name in zip(places, names, strict=True):
        y = each * len(drawn)
        write(svg, place + 4, y, name, "end", SMALL, transform=f"rotate(-45 {place + 4:g} {y:g})")
    return Drawing.of(svg)


def _told(panel: Panel, names: Sequence[str]) -> str:
    pairs = zip(names, panel.dots, strict=True)
    return ", ".join(f"{name} {_number(dot.value)}" for name, dot in pairs if isinstance(dot, Dot))


def _scale(panel: Panel, top: float) -> Scale:
    """From the least to the greatest, with room above for the numbers at the dots."""
    ends = [end for dot in panel.dots if isinstance(dot, Dot) for end in dot.reach]
    low, high = min(ends), max(ends)
    span = (high - low) or abs(high) or 1.0
    return Scale(low - 0.08 * span, high + 0.3 * span, top + _HEAD + _HEIGHT, top + _HEAD)


def _draw(svg: Element, panel: Panel, scale: Scale, places: Sequence[float], left: float) -> None:
    write(svg, left, scale.end - 7, panel.title)
    for value in scale.ticks(_TICKS):
        rule(svg, left, scale.at(value), WIDTH - _RIGHT, scale.at(value), opacity="0.13")
        write(svg, left - 6, scale.at(value) + 4, scaled(value), "end", SMALL)
    rule(svg, left, scale.begin, WIDTH - _RIGHT, scale.begin)
    known = [(x, dot) for x, dot in zip(places, panel.dots, strict=True) if isinstance(dot, Dot)]
    path = "M" + "L".join(f"{x:.1f} {scale.at(dot.value):.1f}" for x, dot in known)
    SubElement(svg, "path", {"d": path, "fill": "none", "stroke": colour(0), "stroke-width": "1.8"})
    step = places[1] - places[0] if len(places) > 1 else WIDTH - _RIGHT - left
    for x, dot in zip(places, panel.dots, strict=True):
        group = spot(svg, dot.said if isinstance(dot, Dot) else dot)
        # All of its column answers, so that what is not there can be pointed at too.
        box(group, x - step / 2, scale.end, step, scale.begin - scale.end, fill="transparent")
        if isinstance(dot, Dot):
            _draw_dot(group, dot, scale, x)
        else:
            write(group, x, scale.begin - 6, "–", "middle", SMALL, opacity="0.6")


def _draw_dot(group: Element, dot: Dot, scale: Scale, x: float) -> None:
    low, high = dot.reach
    if high > low:
        rule(group, x, scale.at(low), x, scale.at(high), opacity="0.7")
        for end in (low, high):
            rule(group, x - 3, scale.at(end), x + 3, scale.at(end), opacity="0.7")
    place = {"cx": f"{x:.1f}", "cy": f"{scale.at(dot.value):.1f}", "r": "3.4", "fill": colour(0)}
    SubElement(group, "circle", place)
    halo = {"paint-order": "stroke", "stroke": "var(--card)", "stroke-width": "3"}  # lines pass below
    write(group, x, scale.at(high) - 6, _number(dot.value), "middle", SMALL, **halo)


def _number(value: float) -> str:
    """With as many digits as there is room for between two things."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
