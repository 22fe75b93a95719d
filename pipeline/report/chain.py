"""The chain of a run: what each stage took, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.provenance import describe_hardware
from pipeline.report.charts import bars
from pipeline.report.figures import Figure, plain, shown
from pipeline.report.sections.base import Section, energy_of
from pipeline.report.tables import number


@dataclass(frozen=True)
class Chain:
    """The finished stages in order."""

    stages: Mapping[str, Section]
    outdated: list[str]
    """Sentences on stages whose inputs have been made anew since."""

    @property
    def machines(self) -> list[str]:
        """Every machine that a stage ran on."""
        found = [describe_hardware(stage.manifest["hardware"]) for stage in self.stages.values()]
        return list(dict.fromkeys(found))

    @property
    def versions(self) -> dict[str, str]:
        """Version by library; several where stages ran with different ones."""
        pairs = [pair for stage in self.stages.values() for pair in stage.manifest["versions"].items()]
        found: dict[str, dict[str, None]] = {}
        for library, version in pairs:
            found.setdefault(library, {})[version or "not installed"] = None
        return {library: ", ".join(several) for library, several in found.items()}

    @property
    def rows(self) -> dict[str, dict[str, str]]:
        """Where each stage comes from and what it took, and what all took together."""
        together = {"begun": "", "made from": "", **self._taken(self.seconds, self.energy)}
        return {
            **{
                name: {
                    "begun": stage.begun,
                    "made from": ", ".join(stage.manifest["inputs"]),
                    **self._taken(stage.seconds, stage.energy),
                }
                for name, stage in self.stages.items()
            },
            "together": together,
        }

    def _taken(self, seconds: float, energy: Mapping[str, float]) -> dict[str, str]:
        """A column for each quantity that any stage has."""
        return {"seconds": number(seconds, "seconds"), **{n: number(energy.get(n), n) for n in self.energy}}

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages.values())

    @property
    def energy(self) -> dict[str, float]:
        """watt_hours and co2_grams of all trainings; each only where no training that was measured lacks it."""
        return energy_of(list(self.stages.values()))

    @property
    def energy_from(self) -> list[str]:
        """How it was found."""
        logged = [entry for stage in self.stages.values() for entry in stage.log]
        return list(dict.fromkeys(entry["energy_from"] for entry in logged if "energy_from" in entry))

    @property
    def figures(self) -> dict[str, Figure]:
        """Charts by caption."""
        seconds = {name: stage.seconds for name, stage in self.stages.items()}
        spent = {
            n: s.energy["watt_hours"]
            for n, s in self.stages.items()
            if s.energy.get("watt_hours") is not None
        }
        return shown(
            {
                "Seconds of each stage": plain(bars("Seconds of each stage", seconds, unit=" s")),
                "Energy of each training": plain(bars("Energy of each training", spent, unit=" Wh")),
            }
        )
