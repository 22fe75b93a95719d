"""Groundup's pre-training by the function that its stage calls, taking turns.

Settings are a recipe's own, but for AdamW, which all contenders have here, and for what measures and saves.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.trainer_turns import TakeTurns
from benchmarks.turns import Training, Turns, training_from_arguments
from benchmarks.workload import shape_of
from pipeline.artifacts import Artifact
from pipeline.recipe import Pretrain, Recipe
from pipeline.train.pretrain import pretrain

_NEVER = 10**7


def recipe_of(training: Training) -> Recipe:
    """The recipe of a training that does not end by itself."""
    return Recipe(
        model=shape_of(training),
        pretrain=Pretrain(
            steps=_NEVER,
            global_batch=training.batch,
            micro_batch=training.micro_batch,
            optimizer="adamw",
            learning_rate=3e-4,
            evaluate_every=0,
            checkpoint_every=_NEVER,
        ),
    )


def main(training: Training) -> None:
    """Train until there are no more turns."""
    turns = Turns(training.device)
    with tempfile.TemporaryDirectory() as out:
        pretrain(recipe_of(training), Path(training.tokens), Artifact(Path(out)), [TakeTurns(turns)])


if __name__ == "__main__":
    main(training_from_arguments())
