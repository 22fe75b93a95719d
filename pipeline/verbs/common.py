"""What all verbs take, and which tasks they mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import GroundupError, nearest
from pipeline.recipe import Finetune, Recipe

if TYPE_CHECKING:
    from pipeline.stages import Run


@dataclass(frozen=True)
class Common:
    """What every verb takes."""

    recipe: str = "quickstart"
    """Name of a recipe in recipes/, or the path of one of your own."""
    runs: Path = Path("runs")
    """Directory for run directories."""
    task: str = ""
    """A task of the recipe; all means every one. Where a finished model is named, dpo and grpo too."""


@dataclass(frozen=True)
class Nothing:
    """A verb without settings of its own."""


@dataclass(frozen=True)
class Verb:
    """One word of the command line."""

    help: str
    work: Callable[[Common, Run, Any], None]
    short: dict[str, str] = dataclasses.field(default_factory=dict)
    """Short flags and the settings they stand for; TASK stands for the chosen task."""
    needs_task: bool = False
    usual_task: str = ""
    """What is meant where no task is named; empty means all of the recipe's."""
    usual_recipe: str = Common.recipe
    """The recipe where none is named."""
    options: Any = Nothing()
    """What it takes beside, with its defaults."""


def with_task(recipe: Recipe, name: str) -> Recipe:
    """A recipe with a task that it does not declare, in the settings that tasks have when nothing is said."""
    if not name or name == "all" or name in recipe.tasks:
        return recipe
    from pipeline.tasks import TASKS

    if name not in TASKS:
        return recipe
    return dataclasses.replace(recipe, tasks={**recipe.tasks, name: Finetune(learning_rate="auto")})


def chosen_tasks(common: Common, recipe: Recipe) -> list[str]:
    """The task that was named, or all.

    Raises:
        GroundupError: where the recipe has no such task.
    """
    if common.task == "all" or not common.task:
        return list(recipe.tasks)
    if common.task not in recipe.tasks:
        raise GroundupError(
            f"task '{common.task}'",
            f"the recipe '{recipe.name}' has no such task",
            nearest(common.task, [*recipe.tasks, "all"]),
        )
    return [common.task]


ADAPTER_SHORT = {"--adapter": "--tasks.TASK.adapter.name"}
"""Of verbs that take one of a task's adapters."""
TEXT_SHORT = {
    "--data": "--corpus.sources",
    "--text-column": "--corpus.text-column",
    "--model": "--model.start",
}
"""Of verbs that begin with the text."""
