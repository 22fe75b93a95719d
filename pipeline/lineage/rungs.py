"""The rungs: which are meant, the run of each, and which tasks one cannot be fine-tuned for."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import GroundupError, nearest
from pipeline.recipe import Recipe
from pipeline.stages import Run

RUNGS = "rungs"
"""Directory of a run with those of its rungs."""


def chosen_rungs(recipe: Recipe, names: Sequence[str]) -> list[str]:
    """The named rungs, or all, in the recipe's order.

    Raises:
        GroundupError: for a recipe without rungs, and for a name that is none of them.
    """
    if not recipe.lineage:
        raise GroundupError(
            f"recipe '{recipe.name}'", "it has no rungs", "use --recipe lineage, or give it some (lineage=…)"
        )
    for name in names:
        if name not in recipe.lineage:
            raise GroundupError(
                f"--rungs {name}",
                f"recipe '{recipe.name}' has no such rung",
                nearest(name, recipe.lineage),
            )
    return [name for name in recipe.lineage if name in names or not names]


def run_of(base: Run, name: str) -> Run:
    """The run of a rung: ``rungs/NAME`` in the directory of the base run."""
    return Run(base.recipe.of_rung(name), base.path / RUNGS)


def lacks(run: Run, task: str) -> str:
    """Why a rung has no such task, in the chain's own words; empty where it has."""
    try:
        run.stages()[run.stage_of(task)].check()
    except GroundupError as error:
        return error.what
    return ""
