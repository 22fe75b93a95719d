"""A named adapter into a stock model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import GroundupError
from pipeline.inference.wardrobe import Wardrobe, has_weights
from pipeline.processes import on_main, say

if TYPE_CHECKING:
    from pipeline.stages import Run


def merge(run: Run, task: str) -> None:
    """Write the weights of the base with the adapter in them beside the adapter: a model that needs no PEFT.

    Args:
        run: whose recipe names the adapter.
        task: of the adapter.

    Raises:
        GroundupError: when no adapter is named, or there is none.
    """
    name = run.recipe.tasks[task].adapter.name
    if not name:
        raise GroundupError(
            "merge",
            "no adapter is named",
            f"use --adapter NAME; runs without a name are merged already ({run.stage_of(task)})",
        )
    on_main(lambda: _merge(Wardrobe(run, task), name))


def _merge(wardrobe: Wardrobe, name: str) -> None:
    from pipeline.model.adapters import merged

    artifact = wardrobe.artifact(name)
    if artifact.manifest().get("complete") and has_weights(artifact.path):
        say(f"{artifact.path}: it holds the merged model already")
        return
    wardrobe.wear(name)
    with artifact.locked():
        with artifact.writing() as beside:
            merged(wardrobe.model).save_pretrained(beside)
        artifact.finish(artifact.manifest(), artifact.metrics())
    say(f"{name}: merged → {artifact.path}")
