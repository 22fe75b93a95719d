"""One page about several runs: what differs between them, their curves over each other, and who is ahead."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.artifacts import Artifact, write_text
from pipeline.errors import GroundupError
from pipeline.processes import on_main
from pipeline.provenance import describe_hardware
from pipeline.report.charts import bars
from pipeline.report.compare import compare_runs
from pipeline.report.figures import Figure, curves, plain, shown
from pipeline.report.render import rendered
from pipeline.report.sections import Section, TaskSection, section
from pipeline.report.sections.base import energy_of
from pipeline.report.tables import ABSENT, columns, heading, main_metric, number, told_apart, words
from pipeline.stages import task_of

_STAGES = ("corpus", "tokenizer", "pretrain", "finetune/*", "adapters/*/*", "align/*")
"""Where stages lie in a run, in the order of the page."""
_CURVES = {
    "loss": ("Training loss", "loss"),
    "eval_loss": ("Held-out loss", "nats per token"),
    "bits_per_byte": ("Held-out text", "bits per byte"),
    "reward": ("Reward in training", "mean reward"),
    "learning_rate": ("Learning rate", "learning rate"),
    "tokens_per_second": ("Throughput", "tokens per second"),
    "mfu": ("Model FLOPs utilisation", "share of the peak"),
}
"""What is drawn of a training: caption and unit by field of the log."""


@dataclass(frozen=True)
class Side:
    """One of the runs."""

    name: str
    path: Path
    stages: Mapping[str, Section]
    """Those that are finished, in order."""

    @property
    def facts(self) -> dict[str, str]:
        """What it is, in a row of a table."""
        trained = self.stages["pretrain"].model if "pretrain" in self.stages else {}
        manifests = [stage.manifest for stage in self.stages.values()]
        seconds = sum(stage.seconds for stage in self.stages.values())
        spent = energy_of(list(self.stages.values()))
        machines = dict.fromkeys(describe_hardware(manifest["hardware"]) for manifest in manifests)
        return {
            "parameters": number(trained.get("parameters")),
            "tokens": number(trained.get("tokens")),
            "minutes": f"{seconds / 60:.1f}",
            "Wh": number(spent.get("watt_hours")),
            "seed": ", ".join(dict.fromkeys(str(manifest["seed"]) for manifest in manifests)),
            "commit": ", ".join(dict.fromkeys((m["git_commit"] or "unknown")[:12] for m in manifests)),
            "machine": "; ".join(machines),
        }


@dataclass(frozen=True)
class Stage:
    """One stage of those runs that have finished it."""

    name: str
    sides: Sequence[Side]

    @cached_property
    def sections(self) -> dict[str, Section]:
        """By the run's name."""
        return {side.name: side.stages[self.name] for side in self.sides}

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """A row for each run: of its model, or how many documents its corpus has."""
        rows = {
            name: found.model or found.metrics.get("documents", {}) for name, found in self.sections.items()
        }
        return {name: row for name, row in rows.items() if row}

    @property
    def intervals(self) -> dict[str, dict[str, str]]:
        """What holds a number with 95 %, by run and metric, where it is known."""
        return {
            name: found.intervals.get("model", {})
            for name, found in self.sections.items()
            if isinstance(found, TaskSection)
        }

    @property
    def figures(self) -> dict[str, Figure]:
        """The main metric of all runs, and their curves over each other, by caption."""
        run = "model" if any(isinstance(found, TaskSection) for found in self.sections.values()) else ""
        drawn = {
            caption: curves(
                f"{caption}, {self.name}",
                {name: found.curve(quantity, run) for name, found in self.sections.items()},
                unit,
            )
            for quantity, (caption, unit) in _CURVES.items()
        }
        return shown({**self._scores(), **drawn})

    def _scores(self) -> dict[str, Figure]:
        metric = main_metric(self.name, columns(self.metrics))
        if not metric:
            return {}
        scores = {name: row[metric.name] for name, row in self.metrics.items() if metric.name in row}
        details = {name: found.artifact.details().get("model", {}) for name, found in self.sections.items()}
        every = {name: said.get("intervals", {}) for name, said in details.items()}
        ends = {name: found[metric.name] for name, found in every.items() if metric.name in found}
        better = "lower" if metric.lower_is_better else "higher"
        drawing = bars(f"{words(metric.name)}, {self.name}", scores, intervals=ends)
        return {f"{heading(metric.name)} ({better} is better)": plain(drawing)}

    @property
    def tests(self) -> dict[str, dict[str, str]]:
        """Each run against the first, on the same examples (``pipeline/report/compare.py``)."""
        return {name: row for name, row in self._tested() if isinstance(row, dict)}

    @property
    def untested(self) -> list[str]:
        """Why a run could not be set against the first."""
        return [f"{name}: {row}" for name, row in self._tested() if isinstance(row, str)]

    def _tested(self) -> Iterator[tuple[str, dict[str, str] | str]]:
        task, (first, *others) = task_of(self.name), self.sides
        if not task or self.name != f"finetune/{task}":
            return
        for other in others:
            try:
                (found,) = compare_runs(first.path, other.path, [task])
            except GroundupError as error:
                yield other.name, str(error)
                continue
            yield (
                other.name,
                {
                    heading(found.metric): number(found.scores[1]),
                    "ahead by": number(found.scores[1] - found.scores[0]),
                    "95 %": " to ".join(told_apart(found.low, found.high)),
                    "p": number(found.p),
                    "examples": number(found.examples),
                    "verdict": found.told(first.name, other.name),
                },
            )

    @property
    def notes(self) -> list[str]:
        """What makes its numbers mean different things."""
        fed = {found.manifest["inputs"].get("corpus") for found in self.sections.values()}
        if self.name != "pretrain" or len(fed) == 1:
            return []
        return ["The corpus is not the same: held-out losses and bits per byte are of different texts."]


def write_comparison(directories: Sequence[Path], file: Path) -> Path:
    """Write the page about several runs.

    Args:
        directories: of the runs; the others are set against the first.
        file: where the page goes.

    Returns:
        ``file``, which loads nothing from anywhere.

    Raises:
        GroundupError: for fewer than two runs, one that is named twice, and one without a finished stage.
    """
    return on_main(lambda: _write(directories, file))


def _write(directories: Sequence[Path], file: Path) -> Path:
    sides = _sides(directories)
    names = dict.fromkeys(name for side in sides for name in side.stages)
    order = sorted(names, key=lambda name: [Path(name).match(p) for p in _STAGES].index(True))
    stages = [Stage(name, [side for side in sides if name in side.stages]) for name in order]
    page = rendered(
        "comparison.html.j2",
        sides={side.name: side.facts for side in sides},
        settings=differing(sides),
        stages=[stage for stage in stages if len(stage.sides) > 1 and stage.metrics],
        alone=[f"{stage.name}: {stage.sides[0].name}" for stage in stages if len(stage.sides) == 1],
    )
    write_text(file, page)
    print(f"→ {file}", flush=True)
    return file


def _sides(directories: Sequence[Path]) -> list[Side]:
    if len(directories) < 2:
        raise GroundupError(
            "report",
            "it compares two runs or more, not 1",
            "name another run, or none for the page about one",
        )
    sides = []
    for name, path in zip(_names(directories), directories, strict=True):
        found = [place for pattern in _STAGES for place in sorted(path.glob(pattern))]
        finished = [place for place in found if Artifact(place).manifest().get("complete")]
        if not finished:
            raise GroundupError(
                str(path),
                "no stage is finished there",
                "name the directory of a run, such as runs/quickstart",
            )
        stages = [str(place.relative_to(path)) for place in finished]
        sides.append(Side(name, path, {stage: section(stage, path) for stage in stages}))
    return sides


def _names(directories: Sequence[Path]) -> list[str]:
    """The last parts of their paths, as many as it takes to tell them apart."""
    parts = [path.resolve().parts for path in directories]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-count:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    raise GroundupError("report", "a run is named twice", "name each once")


def differing(sides: Sequence[Side]) -> dict[str, dict[str, str]]:
    """Settings that are not the same in all runs with their stage, by stage and name: the value in each."""
    found: dict[str, dict[str, str]] = {}
    for side in sides:
        for stage, made in side.stages.items():
            for name, value in _flat(made.manifest["settings"]):
                found.setdefault(f"{stage}: {name}", {})[side.name] = value
    return {
        setting: {side.name: values.get(side.name, ABSENT) for side in sides}
        for setting, values in found.items()
        if len(set(values.values())) > 1
    }


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield (
                f"{before}{name}",
                value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
            )
