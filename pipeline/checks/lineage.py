"""Histories of language models that cannot be."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

from pipeline.checks.refusal import require
from pipeline.errors import GroundupError
from pipeline.recipe import Recipe, Rung


def check_lineage(recipe: Recipe, check: Callable[[Recipe], None]) -> None:
    """Refuse rungs that cannot be trained, or not beside each other.

    Args:
        recipe: with rungs or without.
        check: what refuses a recipe.

    Raises:
        GroundupError: naming the rung, the setting and what to do.
    """
    for name, rung in recipe.lineage.items():
        _check_rung(name, rung, recipe)
        try:
            check(recipe.of_rung(name))
        except GroundupError as error:
            raise GroundupError(f"rung '{name}' {error.where}", error.what, error.remedy) from None
    for (before, one), (after, other) in itertools.pairwise(recipe.lineage.items()):
        require(
            one.year <= other.year,
            f"lineage.{after}.year",
            f"{other.year} is before the {one.year} of {before}, which stands above it",
            "put the rungs in the order of their years",
        )
    for (before, one), (after, other) in itertools.combinations(recipe.lineage.items(), 2):
        require(
            _trained(one) != _trained(other),
            f"lineage.{after}",
            f"it is trained as {before} is, and would be the same model",
            "leave it out, or change its settings",
        )


def _check_rung(name: str, rung: Rung, recipe: Recipe) -> None:
    require(
        not rung.model.start,
        f"lineage.{name}.model.start",
        "published weights have seen other text than the rungs beside them",
        "leave it out",
    )
    require(
        rung.model.context in (0, recipe.model.context),
        f"lineage.{name}.model.context",
        f"{rung.model.context} is not the context of all rungs",
        f"leave it at 0: it is that of --model.context, {recipe.model.context}",
    )


def _trained(rung: Rung) -> Rung:
    """A rung without what is only said of it."""
    return replace(rung, year=0, paper="", changed="")
