"""Charts as SVG that stands inside a page and takes its colours from it."""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib import ticker
from matplotlib.figure import Figure

Points = Sequence[tuple[float, float]]
"""Pairs of x and y, in order."""

_INK = "#010203"
"""Stands for the page's text colour while a chart is drawn."""
_SERIES = ("#010211", "#010212", "#010213")
"""Stand for the page's colours of series."""
_PAGE_COLOURS = {
    _INK: "currentColor",
    **{colour: f"var(--series-{place})" for place, colour in enumerate(_SERIES, 1)},
}
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.labelsize": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=_SERIES),
    "lines.linewidth": 1.8,
}
_WIDTH = 5.2
"""Inches; the page scales it."""
_MOST_POINTS = 400
"""Points of one line; more cannot be told apart at the width of a page."""
_NO_METADATA: dict[str, None] = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def lines(
    title: str,
    series: Mapping[str, Points],
    x_label: str,
    y_label: str,
    levels: Mapping[str, float] | None = None,
) -> str:
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
    drawn = {name: _thinned(points) for name, points in series.items() if points}
    if not drawn:
        return ""
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": title}):
        figure = Figure(figsize=(_WIDTH, 3.0), layout="constrained")
        axes = figure.add_subplot()
        for name, points in drawn.items():
            marker = "o" if len(points) <= 12 else ""
            axes.plot(*zip(*points, strict=True), marker=marker, markersize=4, label=name)
        for name, level in (levels or {}).items():
            axes.axhline(level, color=_INK, alpha=0.6, linestyle="--", linewidth=1)
            place = axes.get_yaxis_transform()
            axes.text(1, level, f"{name} {level:.3g}", transform=place, ha="right", va="bottom", fontsize=9)
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
        axes.xaxis.set_major_formatter(_thousands)
        axes.yaxis.set_major_formatter(_thousands)
        axes.grid(axis="y", color=_INK, alpha=0.12, linewidth=0.8)
        if len(drawn) > 1:
            axes.legend(frameon=False, loc="best")
        said = "; ".join(
            f"{name} from {points[0][1]:.4g} to {points[-1][1]:.4g}" for name, points in drawn.items()
        )
        return _svg(figure, title, said)


def bars(title: str, values: Mapping[str, float], unit: str = "", highlight: str = "") -> str:
    """A horizontal bar for each value, in order from the top, with its number at the end.

    Args:
        title: what the chart shows, for readers who cannot see it.
        values: lengths by name.
        unit: written after each number.
        highlight: the bar that stands out; without it all look alike.

    Returns:
        An ``svg`` element, or an empty string where there is no finite value.
    """
    drawn = {name: value for name, value in values.items() if math.isfinite(value)}
    if not drawn:
        return ""
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": title}):
        figure = Figure(figsize=(_WIDTH, 0.5 + 0.34 * len(drawn)), layout="constrained")
        axes = figure.add_subplot()
        colours = [_SERIES[0] if name == highlight or not highlight else _SERIES[2] for name in drawn]
        shapes = axes.barh(list(drawn), list(drawn.values()), color=colours, height=0.66)
        axes.bar_label(shapes, [_short(value) + unit for value in drawn.values()], padding=4)
        axes.invert_yaxis()
        axes.margins(x=0.16)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_visible(False)
        said = ", ".join(f"{name} {_short(value)}{unit}" for name, value in drawn.items())
        return _svg(figure, title, said)


_MOST_CLASSES = 30
"""Rows of a matrix; more cannot be read."""
_CELL, _LETTER, _LONGEST_NAME = 44, 7, 24
"""Sizes of a matrix: its cells', and in letters that of the names along its side."""


def matrix(title: str, names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """A confusion matrix: the darker a cell, the larger its share of its row.

    It is written and not drawn by matplotlib, which would have to have letters for names in any script.

    Args:
        title: what the chart shows, for readers who cannot see it.
        names: of the classes.
        counts: a row for each true class, a column for each predicted one.

    Returns:
        An ``svg`` element, or an empty string where there are no classes, or too many to be read.
    """
    if not 0 < len(names) <= _MOST_CLASSES:
        return ""
    short = [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in names]
    # Letters of scripts such as Chinese are twice as wide.
    left = 30 + _LETTER * max(len(name) + sum(c > "\u1100" for c in name) for name in short)
    size = left + _CELL * len(names)
    parts = [_text(left, 14, "predicted", "start"), _text(12, left, "true", "start")]
    for place, name in enumerate(short):
        middle = left + _CELL * place + _CELL / 2
        parts.append(_text(left - 6, middle + 4, name, "end"))
        parts.append(
            _text(middle + 4, left - 6, name, "start", f' transform="rotate(-90 {middle + 4} {left - 6})"')
        )
    for row, values in enumerate(counts):
        for column, count in enumerate(values):
            x, y = left + _CELL * column, left + _CELL * row
            share = count / max(1, sum(values))
            colour = f'fill="var(--series-1)" fill-opacity="{0.05 + 0.6 * share:.3f}"'
            parts.append(f'<rect x="{x}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}" rx="3" {colour}/>')
            parts.append(_text(x + _CELL / 2 - 1, y + _CELL / 2 + 3, f"{count:,}", "middle"))
    said = "; ".join(
        f"of {sum(values)} {name} {values[row]} right"
        for row, (name, values) in enumerate(zip(names, counts, strict=True))
    )
    label = html.escape(f"{title}: {said}")
    opening = f'<svg role="img" aria-label="{label}" viewBox="0 0 {size} {size}">'
    return f"{opening}<title>{html.escape(title)}</title>{''.join(parts)}</svg>"


def _text(x: float, y: float, said: str, anchor: str, more: str = "") -> str:
    place = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"{more}'
    return f'<text {place} font-size="12" fill="currentColor">{html.escape(said)}</text>'


def _thinned(points: Points) -> Points:
    """Every n-th point, counted from the last, so that the last one always stays."""
    every = math.ceil(len(points) / _MOST_POINTS)
    return points[::-1][::every][::-1]


def _thousands(value: float, _: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def _short(value: float) -> str:
    whole = isinstance(value, int) or abs(value) >= 1000
    return f"{value:,.0f}" if whole else f"{value:.3g}"


def _svg(figure: Any, title: str, said: str) -> str:
    """The figure without prolog, metadata, ids and style sheet, which many on one page would share."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<style.*?</style>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", drawing)
    for stand_in, colour in _PAGE_COLOURS.items():
        drawing = drawing.replace(stand_in, colour)
    size = re.search(r'viewBox="[^"]+"', drawing)
    assert size is not None  # matplotlib always writes one
    label = html.escape(f"{title}: {said}")
    opening = f'<svg role="img" aria-label="{label}" {size[0]}><title>{html.escape(title)}</title>'
    return opening + drawing[drawing.index(">") + 1 :].strip()
