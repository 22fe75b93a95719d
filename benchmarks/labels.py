"""Generative and discriminative models over the number of labels: benchmarks/results/labels.json and docs/labels.md.

    .venv/bin/python -m benchmarks.labels runs/quickstart                     # the three seeds of the page
    .venv/bin/python -m benchmarks.labels runs/quickstart --seeds 3 4 5       # others beside them
    .venv/bin/python -m benchmarks.labels runs/quickstart --large-seeds 3     # every seed of the large sizes too

All learn from the same sentences and are measured on the same others, which the run's model was not pre-trained on.
What is in the JSON already is not measured again, and a training that was cut off goes on; remove the file and
``runs/labels`` to begin anew. A model with other weights begins anew by itself.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.labels_data import COUNTS, by_counts, in_order, write_examples
from benchmarks.labels_picture import picture
from benchmarks.labels_tasks import Generative, Head, register
from benchmarks.pages import ROOT, write_between
from pipeline.artifacts import Artifact, read_json, write_json
from pipeline.checks import check
from pipeline.provenance import describe_hardware, hardware
from pipeline.recipe import Finetune, Model, Pretrain, Recipe
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
from pipeline.tasks.base import Example
from pipeline.train.data.examples import read_examples
from pipeline.train.finetune import FROM_SCRATCH
from pipeline.train.judging import MODEL

RESULTS = ROOT / "benchmarks" / "results" / "labels.json"
PICTURE = ROOT / "docs" / "labels.svg"
PAGE = ROOT / "docs" / "labels.md"
DATA = "installed:movie-sentences"
SIZES = (32, 128, 512, 2048)
"""Labels to learn from; after them all that there are."""
LARGE = 2048
"""From so many labels on the subsets differ little, and only the first seeds are measured."""
ARMS: dict[str, tuple[str, str]] = {
    "head, pre-trained": (Head.name, MODEL),
    "head, random weights": (Head.name, FROM_SCRATCH),
    "generative, pre-trained": (Generative.name, MODEL),
    "generative, random weights": (Generative.name, FROM_SCRATCH),
}
"""Names of the neural models, with task and row of Groundup's table."""
_BATCH, _STEPS, _FEWEST = 16, 40, 32


@dataclass(frozen=True)
class Row:
    """One model, trained once."""

    arm: str
    labels: int
    seed: int
    accuracy: float
    """On the held-out part."""
    seconds: float
    """Training and prediction."""
    steps: int = 0
    """Of the optimiser; 0 where another method fits all at once."""


@dataclass
class Results:
    """What was measured, kept in a file as it grows."""

    file: Path
    facts: dict[str, Any]
    """What all rows share; rows of other facts are forgotten."""
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.file.is_file():
            known = read_json(self.file)
            rows = known.pop("rows")
            if known == self.facts:
                self.rows = [Row(**row) for row in rows]

    def has(self, arm: str, labels: int, seed: int, steps: int = 0) -> bool:
        """Whether this was measured, with as many steps."""
        asked = arm, labels, seed, steps
        return any((row.arm, row.labels, row.seed, row.steps) == asked for row in self.rows)

    def add(self, new: Row) -> None:
        """Write it down, in the place of one with other steps."""
        key = new.arm, new.labels, new.seed
        self.rows = [*(row for row in self.rows if (row.arm, row.labels, row.seed) != key), new]
        write_json(self.file, {**self.facts, "rows": [asdict(row) for row in self.rows]})
        print(new, flush=True)


def steps_for(labels: int) -> int:
    """Optimiser steps: 40 for 32 labels, twice as many for eight times the labels, and a pass over all at least.

    In batches of 16 that is 20 passes over 32 labels, 3 over 512 and one over 8,000.
    """
    return max(round(_STEPS * (labels / _FEWEST) ** (1 / 3)), math.ceil(labels / _BATCH))


def settings_for(labels: int, start: Path, train: Path, held_out: Path) -> Finetune:
    """How the neural models are fine-tuned, all in the same way."""
    return Finetune(
        data=str(train),
        eval_data=str(held_out),
        model=str(start),
        max_tokens=64,
        steps=steps_for(labels),
        global_batch=_BATCH,
        micro_batch=_BATCH,
        learning_rate="auto",
    )


@dataclass(frozen=True)
class Bench:
    """One pre-trained model, what is learnt from and what is measured on."""

    start: Path
    """Of the pre-trained model."""
    train: Sequence[Example]
    held_out: Sequence[Example]
    place: Path
    """Of the trainings."""

    def sizes(self, sizes: Iterable[int]) -> list[int]:
        """Numbers of labels, all of them last."""
        return [*(size for size in sizes if size < len(self.train)), len(self.train)]

    def count(self, results: Results, labels: int, seed: int) -> None:
        """Models of counts of words."""
        chosen = in_order(self.train, seed)[:labels]
        for name in COUNTS:
            if not results.has(name, labels, seed):
                began = time.monotonic()
                accuracy = by_counts(name, chosen, self.held_out)
                results.add(Row(name, labels, seed, accuracy, time.monotonic() - began))

    def tune(self, results: Results, labels: int, seed: int) -> None:
        """Language models, through ``groundup finetune``: pre-trained, and from random weights."""
        steps = steps_for(labels)
        for task in (Head.name, Generative.name):
            arms = {name: row for name, (of, row) in ARMS.items() if of == task}
            if all(results.has(name, labels, seed, steps) for name in arms):
                continue
            metrics = self._finetuned(task, labels, seed).metrics()
            for name, row in arms.items():
                accuracy, seconds = metrics[row]["accuracy"], metrics[row]["seconds"]
                results.add(Row(name, labels, seed, accuracy, seconds, steps))

    def _finetuned(self, task: str, labels: int, seed: int) -> Artifact:
        name = f"{labels}-labels-seed-{seed}"
        train = write_examples(self.place / f"{name}.csv", in_order(self.train, seed)[:labels])
        held_out = write_examples(self.place / "held-out.csv", self.held_out)
        recipe = Recipe(
            name=name,
            seed=seed,
            model=Model(start=str(self.start)),
            pretrain=Pretrain(steps=0),
            tasks={task: settings_for(labels, self.start, train, held_out)},
        )
        check(recipe)
        return Run(recipe, self.place).finish(f"finetune/{task}")


def bench_of(run: Path, data: str, place: Path) -> Bench:
    """The model of a run's pre-training, with the split of the run's own corpus."""
    start = (run / "pretrain").absolute()
    seed, share = Artifact(start).manifest()["seed"], load_recipe("quickstart").held_out
    parts = read_examples(Head(Finetune(data=data)), share, seed)
    return Bench(start, parts.train, parts.held_out, place)


def facts_of(bench: Bench) -> dict[str, Any]:
    """Machine, the pre-trained weights, and how many examples there are."""
    weights = Artifact(bench.start).manifest()["files"]["model.safetensors"]["sha256"]
    return {
        "machine": describe_hardware(hardware()),
        "weights": weights,
        "train": len(bench.train),
        "held_out": len(bench.held_out),
    }


def measure(
    bench: Bench, results: Results, sizes: Iterable[int], seeds: Sequence[int], large_seeds: int
) -> None:
    """Everything that is not measured yet: of counts, which takes seconds, then small sizes before large ones."""
    for labels in bench.sizes(sizes):
        for seed in seeds if labels < len(bench.train) else seeds[:1]:  # of all examples there is one subset
            bench.count(results, labels, seed)
    for labels in bench.sizes(sizes):
        for seed in seeds if labels < LARGE else seeds[:large_seeds]:
            bench.tune(results, labels, seed)


def accuracies(rows: Iterable[Row]) -> dict[str, dict[int, list[float]]]:
    """By name and number of labels, one a seed."""
    found: dict[str, dict[int, list[float]]] = {name: {} for name in (*COUNTS, *ARMS)}
    for row in sorted(rows, key=lambda row: (row.labels, row.seed)):
        found[row.arm].setdefault(row.labels, []).append(row.accuracy)
    return found


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Mean accuracies with the least and greatest of the seeds, by numbers of labels."""
    sizes = sorted({row.labels for row in rows})
    yield f"| | {' | '.join(f'{size:,}' for size in sizes)} |"
    yield "| --- |" + " ---: |" * len(sizes)
    for name, by_size in accuracies(rows).items():
        yield f"| {name} | {' | '.join(_cell(by_size.get(size, [])) for size in sizes)} |"


def _cell(some: Sequence[float]) -> str:
    if not some:
        return "–"
    mean = f"{statistics.mean(some):.3f}"
    return f"{mean} ({min(some):.3f} to {max(some):.3f})" if len(some) > 1 else mean


def write_page(results: Results, page: Path = PAGE) -> None:
    """Write the table into docs/labels.md."""
    facts, sizes = results.facts, sorted({row.labels for row in results.rows})
    seeds = {
        size: len({row.seed for row in results.rows if row.labels == size and row.arm in ARMS})
        for size in sizes
    }
    told = ", ".join(f"{count or 'none yet'} with {size:,}" for size, count in seeds.items())
    steps = ", ".join(f"{steps_for(size):,}" for size in sizes)
    intro = (
        f"Accuracy on {facts['held_out']} held-out sentences by the number of labels, the mean of the seeds and in "
        f"brackets the least and the greatest; on {facts['machine']}. Seeds of the language models: {told} labels. "
        f"Their steps: {steps}, in batches of {_BATCH}."
    )
    write_between(page, "labels", "\n".join([intro, "", *table(results.rows), "", "![curves](labels.svg)"]))


def main() -> None:
    """Measure, write down and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path, help="directory of a finished run of the quickstart")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--large-seeds", type=int, default=1, help="so many of them at 2,048 labels and more")
    parser.add_argument("--place", type=Path, default=ROOT / "runs" / "labels", help="of the trainings")
    asked = parser.parse_args()
    register()
    bench = bench_of(asked.run, DATA, asked.place)
    results = Results(RESULTS, facts_of(bench))
    measure(bench, results, SIZES, asked.seeds, asked.large_seeds)
    print("\n".join(table(results.rows)))
    PICTURE.write_text(picture(accuracies(results.rows)), "utf-8")
    write_page(results)


if __name__ == "__main__":
    main()
