"""Charts as SVG that stands inside a page and takes its colours from it."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import matplotlib
from cycler import cycler
from defusedxml import ElementTree
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
_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters of names that XML cannot hold."""
_NO_METADATA: dict[str, None] = dict.fromkeys(("Creator", "Date", "Format", "Type"))


class Drawing(str):
    """An ``svg`` element as a page takes it without escaping it again; empty where there is nothing to draw.

    An XML library writes it, so that names and numbers in it are text, whatever they hold.
    """

    @classmethod
    def of(cls, svg: Element) -> Drawing:
        """The drawing of an element."""
        return cls(_sound(tostring(svg, encoding="unicode")))

    def __html__(self) -> str:
        return str(self)


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
    drawn = {name: _thinned(points) for name, points in series.items() if points}
    if not drawn:
        return Drawing()
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


def bars(title: str, values: Mapping[str, float], unit: str = "", highlight: str = "") -> Drawing:
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
        return Drawing()
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


def matrix(title: str, names: Sequence[str], counts: Sequence[Sequence[int]]) -> Drawing:
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
        return Drawing()
    short = [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in names]
    # Letters of scripts such as Chinese are twice as wide.
    left = 30 + _LETTER * max(len(name) + sum(c > "\u1100" for c in name) for name in short)
    size = left + _CELL * len(names)
    said = "; ".join(
        f"of {sum(values)} {name} {values[row]} right"
        for row, (name, values) in enumerate(zip(names, counts, strict=True))
    )
    svg = _opened(title, said, f"0 0 {size} {size}")
    _write(svg, left, 14, "predicted", "start")
    _write(svg, 12, left, "true", "start")
    for place, name in enumerate(short):
        middle = left + _CELL * place + _CELL / 2
        _write(svg, left - 6, middle + 4, name, "end")
        _write(svg, middle + 4, left - 6, name, "start", transform=f"rotate(-90 {middle + 4} {left - 6})")
    for row, values in enumerate(counts):
        for column, count in enumerate(values):
            x, y = left + _CELL * column, left + _CELL * row
            opacity = f"{0.05 + 0.6 * count / max(1, sum(values)):.3f}"
            colour = {"fill": "var(--series-1)", "fill-opacity": opacity}
            side = str(_CELL - 2)
            SubElement(
                svg, "rect", {"x": str(x), "y": str(y), "width": side, "height": side, "rx": "3", **colour}
            )
            _write(svg, x + _CELL / 2 - 1, y + _CELL / 2 + 3, f"{count:,}", "middle")
    return Drawing.of(svg)


def _opened(title: str, said: str, view: str) -> Element:
    """An ``svg`` element with its name and what it says for readers who cannot see it."""
    svg = Element("svg", {"role": "img", "aria-label": f"{title}: {said}", "viewBox": view})
    SubElement(svg, "title").text = title
    return svg


def _write(svg: Element, x: float, y: float, said: str, anchor: str, **more: str) -> None:
    place = {"x": f"{x:g}", "y": f"{y:g}", "text-anchor": anchor, **more}
    SubElement(svg, "text", {**place, "font-size": "12", "fill": "currentColor"}).text = said


def _thinned(points: Points) -> Points:
    """Every n-th point, counted from the last, so that the last one always stays."""
    every = math.ceil(len(points) / _MOST_POINTS)
    return points[::-1][::every][::-1]


def _thousands(value: float, _: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def _short(value: float) -> str:
    whole = isinstance(value, int) or abs(value) >= 1000
    return f"{value:,.0f}" if whole else f"{value:.3g}"


def _svg(figure: Any, title: str, said: str) -> Drawing:
    """The figure without metadata, style sheet and ids of groups, which many on one page would share."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    written = buffer.getvalue()
    drawn = ElementTree.fromstring(_sound(written[written.index("<svg") :]))
    svg = _opened(title, said, drawn.get("viewBox", ""))
    svg.extend(part for part in drawn if _plain(part.tag) == "g" or part.find("{*}style") is None)
    for element in svg.iter():
        element.tag = _plain(element.tag)
        if element.tag == "g":  # others are referred to
            element.attrib.pop("id", None)
        for name, value in list(element.items()):
            del element.attrib[name]
            element.set(_plain(name), _coloured(value))
    return Drawing.of(svg)


def _sound(xml: str) -> str:
    return _NO_XML.sub("\ufffd", xml)


def _plain(name: str) -> str:
    """A name of XML without its namespace: inside a page, SVG has none."""
    return name.rpartition("}")[2]


def _coloured(value: str) -> str:
    """An attribute in the page's colours."""
    for stand_in, colour in _PAGE_COLOURS.items():
        value = value.replace(stand_in, colour)
    return value
