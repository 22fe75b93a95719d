"""The two axes of a chart: where numbers are on it, and the marks along its sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from matplotlib.ticker import MaxNLocator

from pipeline.report.charts.svg import SMALL, room, rule, scaled, write

WIDTH, HEIGHT = 440.0, 270.0
_BELOW, _RIGHT = 40.0, 20.0


@dataclass(frozen=True)
class Scale:
    """Numbers from ``low`` to ``high`` on units from ``begin`` to ``end``."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Where a number is."""
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self, most: int, whole: bool = False) -> list[float]:
        """Round numbers within, at most so many and one; whole ones where fractions mean nothing."""
        found = MaxNLocator(most, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        slack = (self.high - self.low) * 1e-6
        return [float(value) for value in found if self.low - slack <= value <= self.high + slack]


@dataclass(frozen=True)
class Frame:
    """The inside of a chart with its two scales."""

    x: Scale
    y: Scale

    def data(self) -> str:
        """The inside's left, right, top and bottom, and the numbers there, for the page's script."""
        ends = (
            self.x.begin, self.x.end, self.y.end, self.y.begin, self.x.low, self.x.high, self.y.high, self.y.low,
        )  # fmt: skip
        return " ".join(f"{end:.10g}" for end in ends)


def frame(x: tuple[float, float], y: tuple[float, float], above: float = 0) -> Frame:
    """A frame for numbers between two ends of each axis.

    Args:
        x: the least and the greatest number along the bottom.
        y: the same along the side; a twentieth is left free above, and below unless it is 0.
        above: units that are added above for a legend.
    """
    low, high = _apart(*y)
    margin = (high - low) / 20
    rising = Scale(low and low - margin, high + margin, above + HEIGHT - _BELOW, above + 10)
    left = 30 + max((room(scaled(tick), SMALL) for tick in rising.ticks(5)), default=0)
    return Frame(Scale(*_apart(*x), left, WIDTH - _RIGHT), rising)


def draw_axes(
    svg: Element, inside: Frame, x_label: str, y_label: str, marks: Mapping[float, str] | None = None
) -> None:
    """Marks, numbers and labels of both axes.

    Args:
        svg: what they become a part of.
        inside: where.
        x_label: quantity along the bottom.
        y_label: quantity and unit along the side.
        marks: what is written along the bottom and where; round numbers without.
    """
    x, y = inside.x, inside.y
    group = SubElement(svg, "g", {"data-frame": inside.data()})
    for value in y.ticks(5):
        place = y.at(value)
        rule(group, x.begin, place, x.end, place, opacity="0.13")
        write(group, x.begin - 6, place + 4, scaled(value), "end", SMALL)
    for value, said in (marks or {value: scaled(value) for value in x.ticks(5)}).items():
        place = x.at(value)
        rule(group, place, y.begin, place, y.begin + 4)
        write(group, place, y.begin + 17, said, "middle", SMALL)
    rule(group, x.begin, y.begin, x.end, y.begin)
    write(group, (x.begin + x.end) / 2, y.begin + 34, x_label, "middle")
    middle = (y.begin + y.end) / 2
    write(group, 12, middle, y_label, "middle", transform=f"rotate(-90 12 {middle:g})")


def _apart(low: float, high: float) -> tuple[float, float]:
    """Two ends that differ."""
    if high > low:
        return low, high
    return low - (abs(low) / 10 or 0.5), high + (abs(high) / 10 or 0.5)
