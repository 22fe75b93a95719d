"""Write a table of results in the README from the own files of a finished run, or of several of one recipe.

python -m benchmarks.readme_results runs/quickstart
python -m benchmarks.readme_results runs/smollm2 runs/tweets/smollm2     # between its own marks, results-smollm2
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.pages import README, write_between
from pipeline.artifacts import Artifact
from pipeline.provenance import describe_hardware
from pipeline.report.tables import (
    Details,
    MainMetric,
    Metrics,
    interval,
    main_metric,
    number,
    verdicts,
    words,
)


def results(runs: Sequence[Path]) -> str:
    """Markdown: every finished stage that is judged, by its main metric, beside its rivals."""
    stages = [path for run in runs for path in (run / "pretrain", *sorted((run / "finetune").iterdir()))]
    artifacts = [Artifact(path) for path in stages]
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
            "| | data | minutes | metric | model (95 %) | beside it |",
            "|---|---|---:|---|---:|---|",
            *rows,
            "",
            *_preparation(runs[0]),
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
    """One row for a stage, and one more where macro F1 tells of more than two classes."""
    manifest, metrics, details = artifact.manifest(), artifact.metrics(), artifact.details()
    main = main_metric(manifest["stage"], metrics["model"])
    if main is None or main.name not in metrics["model"]:
        return
    name, minutes = manifest["stage"].removeprefix("finetune/"), f"{manifest['timings']['seconds'] / 60:.1f}"
    data = str(manifest["settings"].get("finetune", {}).get("data", "")).removeprefix("installed:")
    yield f"| {name} | {data} | {minutes} | {_measured(main, metrics, details)} |"
    if "macro_f1" in metrics["model"] and "f1" not in metrics["model"]:
        yield f"| | | | {_measured(MainMetric('macro_f1', lower_is_better=False), metrics, details)} |"


def _measured(metric: MainMetric, metrics: Metrics, details: Details) -> str:
    rivals = ", ".join(
        f"{words(row)} {number(values[metric.name])}" for row, values in metrics.items() if row != "model"
    )
    told = interval(details.get("model", {}), metric.name)
    sure = f" ({told})" if told else ""
    arrow = "↓" if metric.lower_is_better else "↑"
    return f"{words(metric.name)} {arrow} | **{number(metrics['model'][metric.name])}**{sure} | {rivals}"


if __name__ == "__main__":
    directories = [Path(argument) for argument in sys.argv[1:]]
    mark = "results" if directories[0].name == "quickstart" else f"results-{directories[0].name}"
    write_between(README, mark, results(directories))
