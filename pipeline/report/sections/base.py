"""What the files of any finished stage say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.artifacts import LOG, Artifact, read_log
from pipeline.report.figures import Figure, Point, curve, curves, shown
from pipeline.report.tables import verdicts, words

ENERGY = ("watt_hours", "co2_grams")
"""Metrics of trainings that add up over them."""


@dataclass(frozen=True)
class Section:
    """A finished stage: what its files say."""

    name: str
    artifact: Artifact

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return self.artifact.manifest()

    @cached_property
    def metrics(self) -> dict[str, dict[str, Any]]:
        return self.artifact.metrics()

    @cached_property
    def log(self) -> list[dict[str, Any]]:
        return read_log(self.artifact.path / LOG)

    @property
    def model(self) -> dict[str, Any]:
        """Metrics of the model itself."""
        return self.metrics.get("model", {})

    @property
    def verdicts(self) -> list[str]:
        return [words(sentence) for sentence in verdicts(self.name, self.metrics, self.artifact.details())]

    @property
    def seconds(self) -> float:
        return self.manifest["timings"]["seconds"]

    @property
    def begun(self) -> str:
        """When, to the minute, in UTC."""
        return self.manifest["started"][:16].replace("T", " ")

    @property
    def energy(self) -> dict[str, float]:
        """watt_hours and co2_grams of its trainings; each only where no training that was measured lacks it."""
        return energy_of([self])

    def curve(self, quantity: str, run: str = "") -> list[Point]:
        """A logged quantity, of one of several trainings where the log holds several."""
        return curve(self.log, quantity, run)

    def training_figures(self, runs: Sequence[str]) -> dict[str, Figure]:
        """Learning rate, throughput, utilisation and gradient of the trainings in a log, by caption.

        Args:
            runs: which of its trainings; one without a name where it holds no other.
        """
        named = {run: words(run) if run else "training" for run in runs}
        rates = dict.fromkeys(
            name for entry in self.log for name in entry if name.startswith("learning_rate")
        )
        pace, use, gradient = (
            {named[run]: self.curve(quantity, run) for run in runs}
            for quantity in ("tokens_per_second", "mfu", "grad_norm")
        )
        rate = {words(name): self.curve(name, runs[0]) for name in rates}
        return shown(
            {
                "Learning rate": curves(f"Learning rate, {self.name}", rate, "learning rate"),
                "Throughput": curves(f"Throughput, {self.name}", pace, "tokens per second"),
                "Model FLOPs utilisation": curves(f"Utilisation, {self.name}", use, "share of the peak"),
                "Gradient": curves(f"Gradient, {self.name}", gradient, "norm before clipping"),
            }
        )


def energy_of(stages: Sequence[Section]) -> dict[str, float]:
    """watt_hours and co2_grams of all trainings; each only where no training that was measured lacks it."""
    rows = [row for stage in stages for row in stage.metrics.values() if "watt_hours" in row]
    return {n: sum(row[n] for row in rows) for n in ENERGY if rows and all(n in row for row in rows)}
