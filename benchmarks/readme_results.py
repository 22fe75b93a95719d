"""Write a table of results in the README from a finished run's own files.

python -m benchmarks.readme_results runs/quickstart
python -m benchmarks.readme_results runs/smollm2      # between its own marks, results-smollm2
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pages import README, write_between
from pipeline.artifacts import Artifact
from pipeline.provenance import describe_hardware
from pipeline.report.tables import intervals, main_metric, number, verdicts, words


def results(run: Path) -> str:
    """Markdown: every finished stage that is judged, by its main metric, beside its rivals."""
    artifacts = [Artifact(path) for path in (run / "pretrain", *sorted((run / "finetune").iterdir()))]
    finished = [artifact for artifact in artifacts if artifact.manifest().get("complete")]
    machines = {describe_hardware(artifact.manifest()["hardware"]) for artifact in finished}
    versions = finished[0].manifest()["versions"]
    rows = [row for artifact in finished for row in _rows(artifact)]
    lost = [words(s) for a in finished for s in verdicts(a.manifest()["stage"], a.metrics(), a.details())]
    return "\n".join(
        [
            f"What came out on {' and '.join(sorted(machines))} (torch {versions['torch']}, transformers "
            f"{versions['transformers']}, Python {versions['python']}; seed {finished[0].manifest()['seed']}), "
            "all on held-out data:",
            "",
            "| | minutes | metric | model (95 %) | beside it |",
            "|---|---:|---|---:|---|",
            *rows,
            "",
            *_preparation(run),
            *(lost or ["The model beats every row beside it."]),
        ]
    )


def _preparation(run: Path) -> Iterator[str]:
    """What came before the first row; nothing does where the start is a published model."""
    made = {stage: Artifact(run / stage).manifest() for stage in ("corpus", "tokenizer")}
    told = [f"{stage} {m['timings']['seconds'] / 60:.1f} minutes" for stage, m in made.items() if m]
    if told:
        yield from (f"Before the first row: {' and '.join(told)}.", "")


def _rows(artifact: Artifact) -> Iterator[str]:
    manifest, metrics = artifact.manifest(), artifact.metrics()
    metric = main_metric(manifest["stage"], metrics["model"])
    if metric is None or metric.name not in metrics["model"]:
        return
    rivals = ", ".join(
        f"{words(row)} {number(values[metric.name])}" for row, values in metrics.items() if row != "model"
    )
    arrow = "↓" if metric.lower_is_better else "↑"
    told = intervals(manifest["stage"], artifact.details()).get("model")
    sure = f" ({told})" if told else ""
    yield (
        f"| {manifest['stage'].removeprefix('finetune/')} | {manifest['timings']['seconds'] / 60:.1f} "
        f"| {words(metric.name)} {arrow} | **{number(metrics['model'][metric.name])}**{sure} | {rivals} |"
    )


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    mark = "results" if directory.name == "quickstart" else f"results-{directory.name}"
    write_between(README, mark, results(directory))
