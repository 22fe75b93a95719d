"""How long a step waits for its checkpoint, with a small and a larger model.

    python -m benchmarks.saving runs/quickstart    # a finished tokenizer; writes benchmarks/results/saving.json

A checkpoint is written by the Trainer, which the training waits for; that it is synced, sealed and renamed meanwhile
is not (pipeline/train/faults/checkpoints.py).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from benchmarks.pages import ROOT, TRAINING, write_between
from pipeline.artifacts import Artifact, write_json
from pipeline.model.published import load_tokenizer
from pipeline.model.scaling import resolved
from pipeline.provenance import describe_hardware, hardware
from pipeline.recipe import Model, Pretrain, Recipe
from pipeline.recipe_files import load_recipe
from pipeline.train.faults.resuming import train_or_resume
from pipeline.train.pretrain import trainer_for

RESULTS = ROOT / "benchmarks" / "results" / "saving.json"
_STEPS, _EVERY = 12, 3


@dataclass(frozen=True)
class Waited:
    """What one training has waited for its checkpoints."""

    model: str
    parameters: int
    step_seconds: float
    """Median of the steps that save nothing, the first ones left out."""
    saving_seconds: float
    """Median of what the Trainer's write takes."""
    every: int
    """Steps between two checkpoints, where nothing is set."""

    @property
    def share(self) -> float:
        """Of the time of a training that is waited for checkpoints."""
        training = self.every * self.step_seconds
        return self.saving_seconds / (training + self.saving_seconds)


class Clock(TrainerCallback):
    """Times steps, and what comes between the end of a step and the end of its saving."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.savings: list[float] = []
        self.began = self.ended = 0.0

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.began = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.ended = time.monotonic()
        self.steps.append(self.ended - self.began)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.savings.append(time.monotonic() - self.ended)


def waited(name: str, recipe: Recipe, tokenizer: Path) -> Waited:
    """Train a few steps with a checkpoint at every third."""
    pretrain = replace(
        recipe.pretrain, steps=_STEPS, checkpoint_every=_EVERY, evaluate_every=0, compile="no", prompts=()
    )
    clock = Clock()
    with tempfile.TemporaryDirectory() as place:
        trainer = trainer_for(
            resolved(replace(recipe, pretrain=pretrain)),
            load_tokenizer(str(tokenizer)),
            tokenizer / "shards",
            Artifact(Path(place)),
            (clock,),
            eval_strategy="no",
        )
        train_or_resume(trainer, Path(place) / "checkpoints")
        parameters = trainer.model.num_parameters()
    return Waited(
        name,
        parameters,
        round(statistics.median(clock.steps[_EVERY:]), 3),
        round(statistics.median(clock.savings), 3),
        Pretrain().checkpoint_every,
    )


def write_page(machine: str, found: Sequence[Waited]) -> None:
    """Write what came out into docs/training.md."""
    said = "; ".join(
        f"{one.parameters / 1e6:.0f} million parameters: {one.saving_seconds:.2f} s, beside steps of "
        f"{one.step_seconds:.2f} s, which is {one.share:.2%} of a training"
        for one in found
    )
    write_between(
        TRAINING,
        "saving",
        f"What a step waited for, on {machine}, with a checkpoint every {found[0].every} steps: {said}.",
    )


def main(run: Path) -> None:
    """Measure both models, print, and write down what came out."""
    small = load_recipe("quickstart")
    larger = replace(small, model=Model(family="qwen3", depth="50m", context=256))
    tokenizer = run / "tokenizer"
    found = [waited("quickstart", small, tokenizer), waited("50m", larger, tokenizer)]
    machine = describe_hardware(hardware())
    results: Mapping[str, Any] = {"machine": machine, "trainings": [asdict(one) for one in found]}
    write_json(RESULTS, results)
    write_page(machine, found)
    print(RESULTS.read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
