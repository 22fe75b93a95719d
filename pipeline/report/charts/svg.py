"""What every chart is written with: elements, text, numbers, and the page's colours."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, tostring

LETTER = 7.2
"""Mean width of a letter of 12 units, for room that is left for text; no browser is asked."""
SMALL = 11
"""Size of numbers along an axis."""
_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters of names that XML cannot hold."""
_LONGEST_NAME = 28
_ORDER = (1, 2, 4, 5, 6, 7, 3)
"""The page's colours, ``--series-N``, in the order in which lines take them: the third is the quiet one."""
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4", "4 2")
"""Of lines, so that they differ without their colours too."""


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


def opened(title: str, said: str, width: float, height: float) -> Element:
    """An ``svg`` element with its name and what it says for readers who cannot see it.

    Args:
        title: what the chart shows.
        said: its numbers, or the first and last of many.
        width: in units of which a letter has 12 in height.
        height: in the same.
    """
    view = f"0 0 {width:g} {height:g}"
    svg = Element("svg", {"role": "img", "aria-label": f"{title}: {said}", "viewBox": view})
    SubElement(svg, "title").text = title
    return svg


def write(
    parent: Element, x: float, y: float, said: str, anchor: str = "start", size: int = 12, **more: str
) -> None:
    """Text with its baseline at a place.

    Args:
        parent: what it becomes a part of.
        x: of its start, middle or end.
        y: of its baseline.
        said: the text.
        anchor: ``start``, ``middle`` or ``end``.
        size: of its letters.
        more: attributes.
    """
    place = {"x": f"{x:.4g}", "y": f"{y:.4g}", "text-anchor": anchor, "font-size": str(size)}
    SubElement(parent, "text", {**place, "fill": "currentColor", **more}).text = said


def rule(parent: Element, x1: float, y1: float, x2: float, y2: float, **more: str) -> None:
    """A straight line in the colour of the text."""
    ends = {"x1": f"{x1:.5g}", "y1": f"{y1:.5g}", "x2": f"{x2:.5g}", "y2": f"{y2:.5g}"}
    SubElement(parent, "line", {**ends, "stroke": "currentColor", **more})


def box(parent: Element, x: float, y: float, width: float, height: float, **more: str) -> Element:
    """A rectangle."""
    place = {"x": f"{x:.5g}", "y": f"{y:.5g}", "width": f"{width:.5g}", "height": f"{height:.5g}"}
    return SubElement(parent, "rect", {**place, **more})


def spot(parent: Element, said: str) -> Element:
    """A group of marks that says something when it is pointed at."""
    group = SubElement(parent, "g", {"class": "spot"})
    SubElement(group, "title").text = said
    return group


def colour(number: int) -> str:
    """The page's colour of the so-manieth series, counted from 0."""
    return f"var(--series-{_ORDER[number % len(_ORDER)]})"


def dashes(number: int) -> dict[str, str]:
    """Attributes of the so-manieth line, counted from 0; the first is whole."""
    found = _DASHES[number % len(_DASHES)]
    return {"stroke-dasharray": found} if found else {}


def room(text: str, size: float = 12) -> float:
    """The width that a text takes, or a little more; letters of scripts such as Chinese are twice as wide."""
    return (len(text) + sum(letter > "\u1100" for letter in text)) * LETTER * size / 12


def shortened(name: str) -> str:
    """A name with room on the side of a chart."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def short(value: float) -> str:
    """A number beside a mark: whole ones as they are, others with three digits."""
    whole = isinstance(value, int) or abs(value) >= 1000
    return f"{value:,.0f}" if whole else f"{value:.3g}"


def scaled(value: float) -> str:
    """A number along an axis: millions and billions as M and B."""
    for size, letter in ((1e9, " B"), (1e6, " M")):
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.5g}"


def _sound(xml: str) -> str:
    return _NO_XML.sub("\ufffd", xml)
