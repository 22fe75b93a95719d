"""How faithful attributions are on a run's finished tasks: benchmarks/results/explaining.json, docs/explaining.md.

    .venv/bin/python -m benchmarks.explaining runs/quickstart               # sentiment and qa, 200 examples each
    .venv/bin/python -m benchmarks.explaining runs/quickstart 50 sentiment  # fewer, of one task

The run is read and not changed: what is found goes into a directory of its own that links to it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.pages import ROOT, write_between
from pipeline.artifacts import EXPLAIN, read_json, write_json
from pipeline.evaluate.said import Wanted
from pipeline.explain.asked import Asked
from pipeline.inference.explaining import measure_explanations
from pipeline.provenance import describe_hardware, hardware
from pipeline.recipe_files import load_recipe
from pipeline.report.faithfulness import HEAD, faithfulness_rows, faithfulness_verdicts
from pipeline.stages import Run

RESULTS = ROOT / "benchmarks" / "results" / "explaining.json"
PAGE = ROOT / "docs" / "explaining.md"
ASKED = Asked(steps=32, orders=5)


def measure(where: Path, tasks: Sequence[str], count: int, place: Path) -> dict[str, Any]:
    """Rows, details and seconds of each task."""
    beside, found = place / where.name, {}
    beside.mkdir()
    for entry in where.iterdir():
        if entry.name != EXPLAIN:
            (beside / entry.name).symlink_to(entry.absolute())
    run = Run(load_recipe(where.name), place)
    for task in tasks:
        started = time.monotonic()
        made = measure_explanations(run, task, count, Wanted(), ASKED)
        seconds = time.monotonic() - started
        found[task] = {"rows": made.metrics(), "details": made.details(), "seconds": seconds}
    return found


def write_page(results: dict[str, Any]) -> None:
    """Write a table for each task into docs/explaining.md."""
    told = [f"On {results['machine']}, by {ASKED.steps} steps and {ASKED.orders} random orders an example."]
    for task, found in results["tasks"].items():
        rows, details = found["rows"], found["details"]
        examples = next(iter(rows.values()))["examples"]
        table = [HEAD, ("---", *["---:"] * (len(HEAD) - 1)), *faithfulness_rows(rows, details)]
        told += [
            f"**{task}**, {examples} held-out examples, {found['seconds'] / examples:.1f} s each:",
            "\n".join(f"| {' | '.join(row)} |" for row in table),
            "\n".join(f"- {sentence}" for sentence in faithfulness_verdicts(details)),
        ]
    write_between(PAGE, "explaining", "\n\n".join(told))


def main(where: str, count: str = "200", *tasks: str) -> None:
    """Measure, write down and print."""
    with tempfile.TemporaryDirectory() as place:
        found = measure(Path(where), tasks or ("sentiment", "qa"), int(count), Path(place))
    known = read_json(RESULTS)["tasks"] if RESULTS.is_file() else {}
    write_json(RESULTS, {"machine": describe_hardware(hardware()), "tasks": {**known, **found}})
    write_page(read_json(RESULTS))
    print(RESULTS.read_text("utf-8"))


if __name__ == "__main__":
    main(*sys.argv[1:])
