"""The picture of a lineage: its scores along the rungs, and what each rung took."""

from __future__ import annotations

from pipeline.lineage.results import Climbed, Lineage
from pipeline.lineage.tables import ends, measured, titles
from pipeline.report.charts import Dot, Drawing, Panel, bars, panels
from pipeline.report.figures import Figure, plain, shown
from pipeline.report.tables import number


def scores(lineage: Lineage) -> dict[str, Figure]:
    """The picture by its caption."""
    caption = "Scores on held-out data, rung by rung; a bar holds the score with 95 %"
    return shown({caption: plain(picture(lineage))})


def taken(lineage: Lineage) -> dict[str, Figure]:
    """Charts of what each rung took, by caption."""
    flops = {rung.name: rung.pretraining.flops for rung in lineage.rungs}
    known = {name: value / 1e12 for name, value in flops.items() if value is not None}
    seconds = {rung.name: rung.pretraining.seconds for rung in lineage.rungs}
    sizes = {rung.name: float(rung.parameters) for rung in lineage.rungs}
    return shown(
        {
            "Operations of pre-training, in 10¹² FLOP": plain(bars("Operations of pre-training", known)),
            "Seconds of pre-training": plain(bars("Seconds of pre-training", seconds, unit=" s")),
            "Parameters": plain(bars("Parameters", sizes)),
        }
    )


def picture(lineage: Lineage) -> Drawing:
    """A panel for each score, with a dot for each rung."""
    names = [f"{rung.name} {rung.rung.year}" for rung in lineage.rungs]
    found = [
        Panel(titles(lineage)[column], [_dot(rung, column, lineage) for rung in lineage.rungs])
        for column in lineage.metrics
    ]
    return panels("What each step bought", names, found)


def _dot(rung: Climbed, column: str, lineage: Lineage) -> Dot | str:
    score, name = rung.scores[column], measured(column, lineage.metrics[column])
    who = f"{rung.name} ({rung.rung.year})"
    if score.value is None:
        return f"{who}: no {name}, as {score.why}"
    held = f", 95 %: {ends(score)}" if ends(score) else ""
    return Dot(score.value, f"{who}: {name} {number(score.value)}{held}", score.low, score.high)
