"""What exports weigh, how far off they are and how fast: benchmarks/results/exports.json and docs/exporting.md.

    .venv/bin/python -m benchmarks.exports quickstart runs            # all that is finished in runs/quickstart
    .venv/bin/python -m benchmarks.exports quickstart runs 200        # compared on the first 200 held-out entries

Exports that are there and belong to the models as they are count as they were measured.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.pages import ROOT, write_between
from pipeline.artifacts import Artifact, read_json, write_json
from pipeline.export.export import export
from pipeline.export.table import columns_of, rows_of
from pipeline.provenance import describe_hardware, hardware
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run

RESULTS = ROOT / "benchmarks" / "results" / "exports.json"
PAGE = ROOT / "docs" / "exporting.md"


def measure(run: Run, limit: int) -> dict[str, Any]:
    """The table of every finished model, by its name."""
    tables = {}
    for task in ("", *run.recipe.tasks):
        stage = run.stage_of(task) if task else "pretrain"
        if run.artifact(stage).manifest().get("complete"):
            tables[task or stage] = _table(export(run, task, limit=limit))
    return tables


def _table(exports: list[Artifact]) -> dict[str, Any]:
    told = next(iter(exports[0].details().values()))
    return {"columns": columns_of(exports), "rows": rows_of(exports), **told}


def write_page(results: dict[str, Any]) -> None:
    """Write the tables into docs/exporting.md."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = [f"Exports of `{results['recipe']}` on {results['machine']} ({versions}):"]
    for name, table in results["models"].items():
        columns = [name, *table["columns"][1:]]
        lines += ["", f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 1)}"]
        lines += [f"| {' | '.join(row)} |" for row in table["rows"]]
    told = [f"{table['entries']:,} of {name}" for name, table in results["models"].items()]
    lines += ["", f"Compared on held-out entries, the first where there are more: {', '.join(told)}."]
    write_between(PAGE, "exports", "\n".join(lines))


def main(recipe: str, runs: str, limit: str = "0") -> None:
    """Measure, write down and print."""
    import torch

    run = Run(load_recipe(recipe), Path(runs))
    models = measure(run, int(limit))
    made = [file for file in sorted((run.path / "export").rglob("manifest.json")) if file.is_file()]
    versions = {name: version for file in made for name, version in read_json(file)["versions"].items()}
    named = ("torch", "transformers", "onnxruntime", "torchao", "bitsandbytes", "gguf")
    threads, load = torch.get_num_threads(), os.getloadavg()[2]
    machine = f"{describe_hardware(hardware())}, by {threads} thread{'s' * (threads > 1)} under a load of {load:.0f}"
    results = {
        "recipe": run.recipe.name,
        "machine": machine,
        "versions": {name: versions[name] for name in named if name in versions},
        "models": models,
    }
    write_json(RESULTS, results)
    write_page(read_json(RESULTS))


if __name__ == "__main__":
    main(*sys.argv[1:])
