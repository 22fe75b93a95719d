"""One page about a run: what was trained, how well it does, beside what, and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jinja2

from pipeline.artifacts import write_text
from pipeline.errors import GroundupError
from pipeline.processes import on_main
from pipeline.provenance import describe_hardware
from pipeline.report.charts import Drawing, bars
from pipeline.report.planned import planned
from pipeline.report.sections import HarnessSection, Section, TaskSection, section
from pipeline.report.tables import columns, number, words
from pipeline.report.yardsticks import measured_outside
from pipeline.stages import Run


def write_report(run: Run) -> Path:
    """Write ``report/index.html`` of a run from the files of whatever stages are finished.

    Returns:
        The page: one file that loads nothing from anywhere.

    Raises:
        GroundupError: when no stage is finished, or a file of one is missing or damaged.
    """
    return on_main(lambda: _write(run))


def _write(run: Run) -> Path:
    file = run.path / "report" / "index.html"
    write_text(file, _page(run))
    print(f"→ {file}", flush=True)
    return file


def _page(run: Run) -> str:
    names = [name for name in run.stages() if run.artifact(name).manifest().get("complete")]
    if not names:
        raise GroundupError(
            str(run.path), "no stage is finished, so there is nothing to report", "run make pretrain first"
        )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters.update(
        number=number, columns=columns, words=words, json=partial(json.dumps, indent=2, ensure_ascii=False)
    )
    outside = measured_outside(run)
    stages = {name: section(name, run.artifact(name)) for name in [*names, *outside]}
    return environment.get_template("page.html.j2").render(
        recipe=run.recipe,
        stages=stages,
        pretrain=stages.get("pretrain"),
        tasks=[stage for stage in stages.values() if isinstance(stage, TaskSection)],
        outside=[stage for stage in stages.values() if isinstance(stage, HarnessSection)],
        planned=planned(run),
        provenance=Provenance(stages, _outdated(run, list(stages))),
    )


@dataclass(frozen=True)
class Provenance:
    """Where the run comes from."""

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
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages.values())

    @property
    def energy(self) -> dict[str, float]:
        """watt_hours and co2_grams of all trainings; each only where no training that was measured lacks it."""
        rows = [
            row for stage in self.stages.values() for row in stage.metrics.values() if "watt_hours" in row
        ]
        return {
            name: sum(row[name] for row in rows)
            for name in ("watt_hours", "co2_grams")
            if rows and all(name in row for row in rows)
        }

    @property
    def energy_from(self) -> list[str]:
        """How it was found."""
        logged = [entry for stage in self.stages.values() for entry in stage.log]
        return list(dict.fromkeys(entry["energy_from"] for entry in logged if "energy_from" in entry))

    @property
    def chart(self) -> Drawing:
        seconds = {name: stage.seconds for name, stage in self.stages.items()}
        return bars("Seconds of each stage", seconds, unit=" s")


def _outdated(run: Run, names: list[str]) -> list[str]:
    said = []
    for name in names:
        for need, mark in run.artifact(name).manifest()["inputs"].items():
            if run.artifact(need).fingerprint() != mark:
                said.append(f"{name} was made from an earlier {need} than the one in this run now.")
    return said
