"""What came out of a sweep: a table of its trials, the best first, and sweep.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.artifacts import write_json
from pipeline.report.tables import MainMetric, drawn, number, print_table, words

State = Literal["finished", "pruned", "diverged", "refused"]


@dataclass(frozen=True)
class Outcome:
    """A trial that has ended."""

    trial: str
    """Its name, and that of its directory."""
    settings: Mapping[str, Any]
    state: State
    value: float | None = None
    """Of the metric; of a pruned trial as last measured; None where there is none."""
    steps: int = 0
    """Optimiser steps of the stage that is judged."""
    seconds: float = 0.0
    note: str = ""
    """Why it was refused."""


def ranked(outcomes: Sequence[Outcome], metric: MainMetric) -> list[Outcome]:
    """Finished trials, the best first, then pruned ones, then those without a value."""
    sign = 1 if metric.lower_is_better else -1
    finished = [o for o in outcomes if o.state == "finished"]
    pruned = [o for o in outcomes if o.state == "pruned"]
    others = [o for o in outcomes if o.state not in ("finished", "pruned")]

    def value(outcome: Outcome) -> float:
        assert outcome.value is not None  # both kinds have one
        return sign * outcome.value

    return [*sorted(finished, key=value), *sorted(pruned, key=value), *others]


def print_results(outcomes: Sequence[Outcome], metric: MainMetric) -> None:
    """Print the trials in their order, and why any was refused."""
    names = list(outcomes[0].settings)
    rows = [
        [
            *(outcome.trial, outcome.state),
            *(_shown(outcome.settings[name]) for name in names),
            *(number(outcome.value), f"{outcome.steps:,}", number(outcome.seconds, "seconds")),
        ]
        for outcome in outcomes
    ]
    head = ["", "state", *names, words(metric.name), "steps", "seconds"]
    print_table(drawn(head, rows, words=2 + len(names)))
    for outcome in outcomes:
        if outcome.note:
            print(f"{outcome.trial}: {outcome.note}")


def write_results(
    file: Path, stage: str, metric: MainMetric, over: Sequence[str], outcomes: Sequence[Outcome], command: str
) -> None:
    """Write ``sweep.json``: what was judged and tried, the trials in their order, and how to run the best."""
    write_json(
        file,
        {
            "stage": stage,
            "metric": metric.name,
            "lower_is_better": metric.lower_is_better,
            "over": list(over),
            "trials": [asdict(outcome) for outcome in outcomes],
            "command": command,
        },
    )


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
