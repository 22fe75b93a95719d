"""The run of one trial, in which the stages that its settings leave alone are those of other runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from transformers import TrainerCallback

from pipeline.artifacts import Artifact
from pipeline.recipe import Recipe
from pipeline.stages import Run, Stage


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
        _share(base, run, needed, is_judged=needed.name == stage)
    return run.finish(stage)


def _share(base: Run, run: Run, stage: Stage, is_judged: bool) -> None:
    """Take a stage over from where it is done with the same settings, unless it is here already."""
    mark, here = run.fingerprint(stage), run.artifact(stage.name)
    if here.is_complete(mark):
        return
    twin = base.stages().get(stage.name)
    if twin and not is_judged and base.fingerprint(twin) == mark and not base.is_finished(stage.name):
        base.finish(stage.name)
    source = next((a for a in _others(base, run, stage) if a.is_complete(mark)), None)
    if source is not None:
        here.take_over(source)


def _others(base: Run, run: Run, stage: Stage) -> Iterator[Artifact]:
    yield base.artifact(stage.name)
    for trial in sorted(run.runs.glob("trial-*")):
        if trial != run.path:
            yield Artifact(trial / stage.name)
