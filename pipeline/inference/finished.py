"""A finished model: where it is; of a task also its tokenizer and the settings that made it, from its files alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import GroundupError
from pipeline.inference.wardrobe import Wardrobe
from pipeline.recipe import ALIGNED, Finetune
from pipeline.settings import from_settings

if TYPE_CHECKING:
    from pipeline.artifacts import Artifact
    from pipeline.stages import Run
    from pipeline.tasks.base import Task


@dataclass(frozen=True)
class Finished:
    """Ready to predict."""

    task: Task
    model: Any
    tokenizer: Any


def finished_artifact(run: Run, task: str) -> Artifact:
    """Where a finished model is.

    Args:
        run: that made it.
        task: that it was fine-tuned for, or dpo or grpo; empty means the pre-trained one.

    Raises:
        GroundupError: when it is not finished.
    """
    artifact = run.artifact(run.stage_of(task) if task else "pretrain")
    if not artifact.manifest().get("complete"):
        verb = "align" if task in ALIGNED else f"finetune TASK={task}" if task else "pretrain"
        raise GroundupError(str(artifact.path), "there is no finished model", f"run make {verb}")
    return artifact


def stock_model(artifact: Artifact) -> tuple[Any, Any]:
    """The causal model of a finished stage and its tokenizer.

    Raises:
        GroundupError: for a model that is none.
    """
    from pipeline.model.families import check_writes
    from pipeline.model.machine import on_device
    from pipeline.model.published import load_config, load_model, load_tokenizer

    path = str(artifact.path)
    check_writes(load_config(path), "AutoModelForCausalLM", path)
    return on_device(load_model(path, "AutoModelForCausalLM")), load_tokenizer(path)


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
