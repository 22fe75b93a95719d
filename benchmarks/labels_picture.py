"""The learning curves of benchmarks/labels.py as a drawing that stands alone, on light and on dark pages."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement

from benchmarks.pages import ROOT
from pipeline.report.charts.frame import HEIGHT, WIDTH, Frame, draw_axes, frame
from pipeline.report.charts.svg import Drawing, colour, opened, rule, write

Curves = Mapping[str, Mapping[int, Sequence[float]]]
"""By name and number of labels the accuracies, one a seed."""
_GENERATIVE, _DISCRIMINATIVE = 1, 0
_PANELS: dict[str, dict[str, tuple[int, str]]] = {
    "counts of words": {
        "naive Bayes": (_GENERATIVE, ""),
        "logistic regression": (_DISCRIMINATIVE, ""),
    },
    "language models": {
        "generative, pre-trained": (_GENERATIVE, ""),
        "head, pre-trained": (_DISCRIMINATIVE, ""),
        "generative, random weights": (_GENERATIVE, "6 4"),
        "head, random weights": (_DISCRIMINATIVE, "6 4"),
    },
}
"""Of each panel the lines, with the number of their colour and their dashes."""
_LEGEND, _ROW, _KEY = 60.0, 18.0, 26.0
_STYLES = ROOT / "pipeline" / "report" / "templates" / "page.css"


def picture(curves: Curves) -> str:
    """An ``svg`` document: a line through the means of the seeds, and a band from the least to the greatest."""
    points = [
        (size, value) for by_size in curves.values() for size, some in by_size.items() for value in some
    ]
    sizes = sorted({size for size, _ in points})
    heights = [value for _, value in points]
    ends = math.log2(sizes[0]), math.log2(sizes[-1])
    inside = frame(ends, (min(heights), max(heights)), _LEGEND)
    marks = {math.log2(size): f"{size:,}" for size in sizes}
    said = "; ".join(f"{name} {_ends(by_size)}" for name, by_size in curves.items() if by_size)
    svg = opened("Accuracy by the number of labels", said, 2 * WIDTH, HEIGHT + _LEGEND)
    svg.attrib |= {"xmlns": "http://www.w3.org/2000/svg", "font-family": "system-ui, sans-serif"}
    SubElement(svg, "style").text = _colours()
    for number, (title, lines) in enumerate(_PANELS.items()):
        panel = SubElement(svg, "g", {"transform": f"translate({number * WIDTH:g} 0)"})
        write(panel, inside.x.begin, 14, title, "start", 12, **{"font-weight": "bold"})
        draw_axes(panel, inside, "labels", "accuracy", marks)
        for place, (name, look) in enumerate(lines.items()):
            if curves.get(name):
                _draw_key(panel, place, name, look)
                _draw(panel, inside, curves[name], look)
    return f"{Drawing.of(svg)}\n"


def _ends(by_size: Mapping[int, Sequence[float]]) -> str:
    first, last = min(by_size), max(by_size)
    means = [f"{statistics.mean(by_size[size]):.3f} with {size:,}" for size in (first, last)]
    return f"from {means[0]} to {means[1]}"


def _draw(
    panel: Element, inside: Frame, by_size: Mapping[int, Sequence[float]], look: tuple[int, str]
) -> None:
    number, dashed = look
    at = {size: inside.x.at(math.log2(size)) for size in sorted(by_size)}
    around = [(x, inside.y.at(max(by_size[size]))) for size, x in at.items()]
    around += [(x, inside.y.at(min(by_size[size]))) for size, x in reversed(at.items())]
    band = " ".join(f"{x:.1f},{y:.1f}" for x, y in around)
    SubElement(panel, "polygon", {"points": band, "fill": colour(number), "fill-opacity": "0.16"})
    means = [(x, inside.y.at(statistics.mean(by_size[size]))) for size, x in at.items()]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in means)
    paint = {"fill": "none", "stroke": colour(number), "stroke-width": "1.8", "stroke-dasharray": dashed}
    SubElement(panel, "polyline", {"points": line, **paint})
    for x, y in means:
        SubElement(panel, "circle", {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "2.6", "fill": colour(number)})


def _draw_key(panel: Element, place: int, name: str, look: tuple[int, str]) -> None:
    number, dashed = look
    x, y = 56 + place % 2 * 208.0, 32 + place // 2 * _ROW
    paint = {"stroke": colour(number), "stroke-width": "2", "stroke-dasharray": dashed}
    rule(panel, x, y, x + _KEY, y, **paint)
    write(panel, x + _KEY + 6, y + 4, name)


def _colours() -> str:
    """The report's own, light and dark, and the ink that text and axes take."""
    found = re.match(r"(:root \{.*?\n\}\n@media.*?\n\}\n)", _STYLES.read_text("utf-8"), re.DOTALL)
    assert found, "the page's style begins with its colours"
    return f"{found.group(1)}svg {{ color: var(--ink); }}\n"
