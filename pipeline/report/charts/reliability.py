"""A reliability diagram: how often what is said is right, by how sure it was said."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import SubElement

from pipeline.evaluate.reliability import Bin
from pipeline.report.charts.frame import HEIGHT, WIDTH, draw_axes, frame
from pipeline.report.charts.svg import Drawing, box, opened, rule, spot

_STRIP = 26.0
"""Height of the counts below the diagram."""


def reliability(title: str, bins: Sequence[Bin]) -> Drawing:
    """A point for each bin of probabilities with its 95 % interval, beside the diagonal of what is as sure as right.

    Grey columns at the bottom are how many examples there are.

    Args:
        title: what the chart shows, for readers who cannot see it.
        bins: those that hold something.

    Returns:
        An ``svg`` element, or an empty string where there are no bins.
    """
    if not bins:
        return Drawing()
    inside = frame((0, 1), (0, 1))
    said = "; ".join(f"said {b.probability:.2f}, right {b.right:.2f} of {b.examples:,}" for b in bins)
    svg = opened(title, said, WIDTH, HEIGHT)
    draw_axes(svg, inside, "probability of what is said", "share that is right")
    x, y = inside.x, inside.y
    rule(svg, x.at(0), y.at(0), x.at(1), y.at(1), opacity="0.6", **{"stroke-dasharray": "4 3"})
    most = max(b.examples for b in bins)
    for b in bins:
        begin, end, middle = x.at(b.low), x.at(b.high), x.at(b.probability)
        told = f"said {b.probability:.3f}, right {b.right:.3f} of {b.examples:,}, 95 %: {b.least:.3f} to {b.most:.3f}"
        group = spot(svg, told)
        box(group, begin, y.end, end - begin, y.begin - y.end, fill="transparent")
        height = _STRIP * b.examples / most
        quiet = {"style": "fill: var(--series-3)", "fill-opacity": "0.5"}
        box(group, begin + 1, y.begin - height, end - begin - 2, height, **quiet)
        paint = {"stroke": "var(--series-1)", "stroke-width": "2"}
        rule(group, middle, y.at(b.least), middle, y.at(b.most), **paint)
        place = {"cx": f"{middle:.1f}", "cy": f"{y.at(b.right):.1f}", "r": "3.6"}
        SubElement(group, "circle", {**place, "fill": "var(--series-1)"})
    return Drawing.of(svg)
