"""How faithful attributions of a run's models are: a table, and which methods do no better than chance."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from pipeline.artifacts import Artifact
from pipeline.explain.asked import AREAS, RANDOM
from pipeline.processes import is_main
from pipeline.report.tables import Details, Metrics, drawn, interval, number, print_table

HEAD = ("order by", "deletion ↓", "95 %", "insertion ↑", "95 %", "examples")
"""Of ``faithfulness_rows``."""
_BETTER_BELOW = "deletion"
"""The area of which less is better."""


def faithfulness_rows(metrics: Metrics, details: Details) -> list[list[str]]:
    """A row for each method and for random orders: the mean areas, their intervals, how many examples."""
    return [
        [
            name,
            *(cell for area in AREAS for cell in (number(row[area]), interval(details[name], area))),
            number(row["examples"]),
        ]
        for name, row in metrics.items()
    ]


def print_faithfulness(artifact: Artifact) -> None:
    """Print which methods do no better than chance, then the table."""
    if not is_main():
        return
    metrics, details = artifact.metrics(), artifact.details()
    for sentence in faithfulness_verdicts(details):
        print(sentence)
    title = Text(str(artifact.manifest()["stage"]), style="bold")
    print_table(title, drawn(HEAD, faithfulness_rows(metrics, details)))


def faithfulness_verdicts(details: Details) -> list[str]:
    """A sentence for each method, those first that do no better than random orders."""
    methods = {name: found["against"] for name, found in details.items() if name != RANDOM}
    return [_verdict(name, methods[name]) for name in sorted(methods, key=lambda n: len(_better(methods[n])))]


def _verdict(name: str, against: Metrics) -> str:
    better = _better(against)
    ends = ", ".join(f"{area} {one['low']:+.3f} to {one['high']:+.3f}" for area, one in against.items())
    told = f"95 % of the difference: {ends}"
    if not better:
        than = "NOT SURELY BETTER" if _seems_better(against) else "NO BETTER"
        return f"{name} is {than} THAN A RANDOM ORDER of the tokens ({told})."
    if len(better) < len(AREAS):
        return f"{name} is better than a random order of the tokens by {better[0]} alone ({told})."
    return f"{name} is better than a random order of the tokens, by deletion and by insertion ({told})."


def _better(against: Metrics) -> list[str]:
    """The areas that are surely better than those of random orders."""
    return [area for area in AREAS if _is_better(area, against[area])]


def _seems_better(against: Metrics) -> bool:
    """Whether the middle of both intervals is on the better side."""
    middles = {area: sum(against[area][end] for end in ("low", "high")) for area in AREAS}
    return all(_is_better(area, {"low": middle, "high": middle}) for area, middle in middles.items())


def _is_better(area: str, ends: Mapping[str, float]) -> bool:
    return ends["high"] < 0 if area == _BETTER_BELOW else ends["low"] > 0
