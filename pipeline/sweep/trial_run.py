"""The run of one trial, in which the stages that its settings leave alone are those of other runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from transformers import TrainerCallback

from pipeline.artifacts import Artifact
from pipeline.recipe import Recipe
from pipeline.stages import Run, Stage
from pipeline.twins import finish_twin, take_over


def finish_trial(
    base: Run, recipe: Recipe, place: Path, stage: str, callbacks: tuple[TrainerCallback, ...]
) -> Artifact:
    """Bring a stage to its end with the settings of one trial.

    Args:
        base: the run of the recipe that is swept; stages that are the same there are done there, for all.
        recipe: with the trial's settings.
        place: directory of the trial.
        stage: the one that is judged.
        callbacks: for pre-training.

    Raises:
        GroundupError, Interrupted, StoppedEarly: whatever the stages raise.
    """
    run = Run(replace(recipe, name=place.name), place.parent, callbacks)
    for needed in run.chain(stage):
        if needed.name != stage:
            finish_twin(base, run, needed)
        take_over(run, needed, _others(base, run, needed))
    return run.finish(stage)


def _others(base: Run, run: Run, stage: Stage) -> Iterator[Artifact]:
    yield base.artifact(stage.name)
    for trial in sorted(run.runs.glob("trial-*")):
        if trial != run.path:
            yield Artifact(trial / stage.name)
