"""The stage whose training a sweep or a range test is about."""

from __future__ import annotations

from pipeline.errors import GroundupError
from pipeline.processes import world_size
from pipeline.recipe import Finetune, Pretrain, Recipe
from pipeline.stages import Run, task_of


def trained_stage(run: Run, task: str, verb: str) -> str:
    """Fine-tuning for a task, or pre-training where none is named.

    Raises:
        GroundupError: where there is no such one stage, or several processes were started.
    """
    if world_size() > 1:
        raise GroundupError(verb, f"{world_size()} processes were started", "start one, without a launcher")
    if task == "all":
        raise GroundupError(f"{verb} --task all", "it is about one task at a time", "name one")
    if not task and not run.recipe.pretrain.steps:
        raise GroundupError(verb, f"recipe '{run.recipe.name}' pre-trains nothing", "name a --task")
    return run.stage_of(task) if task else "pretrain"


def training_of(recipe: Recipe, stage: str) -> Pretrain | Finetune:
    """The settings by which a stage trains."""
    task = task_of(stage)
    return recipe.tasks[task] if task else recipe.pretrain
