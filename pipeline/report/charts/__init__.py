"""Charts as SVG that stands inside a page, takes its colours from it and tells its numbers to whoever points at them.

An XML library writes them: a plotting library would have to have letters for names in any script, and its drawings
do not say where on them a number is.
"""

from pipeline.report.charts.bars import bars, histogram
from pipeline.report.charts.lines import Points, lines, thinned
from pipeline.report.charts.matrix import matrix
from pipeline.report.charts.panels import Dot, Panel, panels
from pipeline.report.charts.reliability import reliability
from pipeline.report.charts.svg import Drawing

__all__ = [
    "Dot", "Drawing", "Panel", "Points", "bars", "histogram", "lines", "matrix", "panels", "reliability", "thinned",
]  # fmt: skip
