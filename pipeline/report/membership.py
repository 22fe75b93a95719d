"""What membership inference found of a run's models, as tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from pipeline.artifacts import MEMBERSHIP, Artifact
from pipeline.evaluate.membership import AUC, TRUE_POSITIVES
from pipeline.processes import is_main
from pipeline.report.tables import Metrics, drawn, interval, number, print_table
from pipeline.stages import Run

_ATTACKS = {
    "before": "the starting model, by the loss",
    "after": "this model, by the loss",
    "after_calibrated": "this model, by how far the loss fell",
}


def membership_of(run: Run, stage: str) -> Artifact | None:
    """What attacks found of a stage's model as it is; None where they were not tried."""
    artifact = run.artifact(f"{MEMBERSHIP}/{stage}")
    manifest = artifact.manifest()
    this = manifest.get("complete") and manifest["inputs"][stage] == run.artifact(stage).fingerprint()
    return artifact if this else None


def attacked(artifact: Artifact) -> list[list[str]]:
    """A row for each attack: on what, AUC and its interval, true positives and theirs, examples."""
    details, metrics = artifact.details(), artifact.metrics()
    return [
        [
            _ATTACKS[name],
            number(row[AUC]),
            interval(details[name], AUC),
            f"{row[TRUE_POSITIVES]:.1%}",
            _shares(details[name]["intervals"][TRUE_POSITIVES]),
            number(row["examples"]),
        ]
        for name, row in metrics.items()
    ]


ATTACKED_BY = ("attack on", "AUC", "95 %", "found at 1 % false alarms", "95 %", "examples")
"""The head of ``attacked``."""


def print_membership(artifact: Artifact) -> None:
    """Print a row for each attack, and what they come to."""
    if not is_main():
        return
    stage = artifact.manifest()["stage"]
    print_table(Text(stage, style="bold"), drawn(ATTACKED_BY, attacked(artifact)))
    print(verdict(artifact.metrics(), artifact.details()))


def verdict(metrics: Metrics, details: Metrics) -> str:
    """Whether the attacks know examples of training better than chance would."""
    surest = max((name for name in metrics if name != "before"), key=lambda name: metrics[name][AUC])
    ends = details[surest]["intervals"][AUC]
    said = f"AUC {number(metrics[surest][AUC])}, 95 %: {number(ends['low'])} to {number(ends['high'])}"
    if ends["low"] > 0.5:
        return f"Its losses tell which examples it was trained on, better than chance ({said})."
    return f"These attacks do not tell its training examples from others ({said}); others may."


def _shares(ends: Mapping[str, float]) -> str:
    return f"{ends['low']:.1%} to {ends['high']:.1%}"
