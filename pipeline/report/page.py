"""One page about a run: what was trained, how well it does, beside what, and where it comes from."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts import EXPLAIN, HARNESS, MANIFEST, Artifact, write_text
from pipeline.errors import GroundupError
from pipeline.processes import on_main
from pipeline.report.chain import Chain
from pipeline.report.planned import planned
from pipeline.report.render import rendered
from pipeline.report.sections import ExplainSection, HarnessSection, TaskSection, section
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
    aside = [name for place in (EXPLAIN, HARNESS) for name in _made_aside(run, place)]
    stages = {name: section(name, run.path) for name in [*names, *aside]}
    return rendered(
        "page.html.j2",
        recipe=run.recipe,
        stages=stages,
        pretrain=stages.get("pretrain"),
        tasks=[stage for stage in stages.values() if isinstance(stage, TaskSection)],
        explained=[stage for stage in stages.values() if isinstance(stage, ExplainSection)],
        outside=[stage for stage in stages.values() if isinstance(stage, HarnessSection)],
        planned=planned(run),
        chain=Chain(stages, _outdated(run, list(stages))),
    )


def _made_aside(run: Run, place: str) -> list[str]:
    """What was made of finished models beside the stages, by its name in the run."""
    folders = [file.parent for file in sorted((run.path / place).rglob(MANIFEST))]
    return [str(f.relative_to(run.path)) for f in folders if Artifact(f).manifest().get("complete")]


def _outdated(run: Run, names: list[str]) -> list[str]:
    said = []
    for name in names:
        for need, mark in run.artifact(name).manifest()["inputs"].items():
            if run.artifact(need).fingerprint() != mark:
                said.append(f"{name} was made from an earlier {need} than the one in this run now.")
    return said
