"""What was planned of each training beside what was measured of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.artifacts import LOG, PLAN, read_json, read_log
from pipeline.report.tables import number
from pipeline.stages import Run

_QUANTITIES = {
    "tokens": "tokens",
    "seconds": "seconds of training",
    "memory_bytes": "memory, GB",
    "watt_hours": "energy, Wh",
}


@dataclass(frozen=True)
class Quantity:
    """One number of one stage."""

    stage: str
    name: str
    planned: float
    measured: float

    @property
    def shown(self) -> list[str]:
        """Planned, measured, and how many times the plan that is."""
        times = f"× {self.measured / self.planned:.2f}" if self.planned else ""
        return [number(self.planned, self.name), number(self.measured, self.name), times]


@dataclass(frozen=True)
class Planned:
    """The plan of a run, as far as the run is what was planned."""

    made: str
    quantities: list[Quantity]
    others: list[str]
    """Stages that were made with other settings or data than were planned."""


def planned(run: Run) -> Planned | None:
    """The plan beside the measurements, of stages that are finished; None where no plan was made.

    Tokens, seconds and memory are those of the log, the comparison from scratch included: of the trainings alone,
    but that the memory of a process on a CPU is the most since it began, in earlier stages too.

    Raises:
        GroundupError: when a file is damaged.
    """
    file = run.path / PLAN
    if not file.is_file():
        return None
    plan = read_json(file)
    finished = [s for s in plan["stages"] if run.artifact(s).manifest().get("complete")]
    same = [s for s in finished if plan["stages"][s]["fingerprint"] == run.artifact(s).fingerprint()]
    quantities = [found for stage in same for found in _compared(run, stage, plan["stages"][stage])]
    return Planned(plan["made"], quantities, [s for s in finished if s not in same])


def _compared(run: Run, stage: str, plan: Mapping[str, Any]) -> Iterator[Quantity]:
    measured = _measured(read_log(run.artifact(stage).path / LOG))
    for name, words in _QUANTITIES.items():
        if name in plan and name in measured:
            unit = 1e9 if name == "memory_bytes" else 1
            yield Quantity(stage, words, plan[name] / unit, measured[name] / unit)


def _measured(log: list[dict[str, Any]]) -> dict[str, float]:
    """Of all trainings of a log together; memory is that of the one that took most."""
    last: dict[str, dict[str, float]] = {}
    for entry in log:
        totals = last.setdefault(entry.get("run", ""), {})
        for name in ("tokens", "seconds", "watt_hours"):
            totals[name] = entry.get(name, totals.get(name, 0.0))
        totals["memory_bytes"] = max(totals.get("memory_bytes", 0.0), 1e9 * entry.get("memory_gb", 0.0))
    found = {
        name: sum(totals[name] for totals in last.values()) for name in ("tokens", "seconds", "watt_hours")
    }
    found["memory_bytes"] = max((totals["memory_bytes"] for totals in last.values()), default=0.0)
    return {name: value for name, value in found.items() if value}
