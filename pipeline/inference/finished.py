"""A finished task: its model, its tokenizer and the settings that made it, from its files alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.inference.wardrobe import Wardrobe
from pipeline.recipe import Finetune
from pipeline.settings import from_settings

if TYPE_CHECKING:
    from pipeline.stages import Run
    from pipeline.tasks.base import Task


@dataclass(frozen=True)
class Finished:
    """Ready to predict."""

    task: Task
    model: Any
    tokenizer: Any


def finished(run: Run, name: str) -> Finished:
    """A task's model, with the adapter that its settings name.

    Args:
        run: where it was fine-tuned.
        name: of the task, whose stage is complete.
    """
    from pipeline.model.machine import on_device
    from pipeline.model.published import load_config, load_model, load_tokenizer
    from pipeline.tasks import task_named

    artifact = run.artifact(run.stage_of(name))
    path = str(artifact.path)
    task = task_named(name, from_settings(Finetune, artifact.manifest()["settings"]["finetune"]))
    tokenizer, head = load_tokenizer(path), task.class_for(load_config(path))
    task.prepare_tokenizer(tokenizer)
    if task.settings.adapter.name:
        wardrobe = Wardrobe(run, name)
        wardrobe.wear(task.settings.adapter.name)
        return Finished(task, wardrobe.model, tokenizer)
    return Finished(task, on_device(load_model(path, head)), tokenizer)
