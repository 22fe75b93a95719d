"""What a language model is pre-trained to do: one file an objective, by the setting ``pretrain.objective``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from pipeline.errors import GroundupError, nearest, shown
from pipeline.model.families import check_writes
from pipeline.model.vocabulary import own_config
from pipeline.recipe import Recipe
from pipeline.train.objectives.base import Objective
from pipeline.train.objectives.causal import Causal
from pipeline.train.objectives.masked import Masked
from pipeline.train.objectives.replaced_token import ReplacedToken
from pipeline.train.objectives.span_corruption import SpanCorruption

OBJECTIVES: dict[str, type[Objective]] = {
    kind.name: kind for kind in (Causal, Masked, SpanCorruption, ReplacedToken)
}


def objective_named(name: str) -> type[Objective]:
    """An objective by its name.

    Raises:
        GroundupError: naming the nearest right one.
    """
    if name not in OBJECTIVES:
        raise GroundupError(
            "--pretrain.objective", f"there is no objective '{shown(name)}'", nearest(name, OBJECTIVES)
        )
    return OBJECTIVES[name]


def objective_of(recipe: Recipe, tokenizer: PreTrainedTokenizerBase, shards: Path) -> Objective:
    """That of a recipe.

    Args:
        recipe: with plain numbers.
        tokenizer: with which the shards were encoded; made ready for the model in place.
        shards: directory with the token shards ``train`` and ``validation``.

    Raises:
        GroundupError: for an unknown name.
    """
    return objective_named(recipe.pretrain.objective)(recipe, tokenizer, shards)


def check_objective(recipe: Recipe) -> None:
    """Refuse an objective that does not exist, or that the recipe's model, tokenizer or text is not for.

    Raises:
        GroundupError: naming the setting and what to do.
    """
    if recipe.pretrain.steps:
        objective_named(recipe.pretrain.objective).check(recipe)


def check_writing(recipe: Recipe, class_for: Callable[[Any], str]) -> None:
    """Refuse the recipe's own model for what it cannot do: an encoder writes no text.

    Args:
        recipe: with plain numbers.
        class_for: of a model's configuration, the auto class that is wanted of it.

    Raises:
        GroundupError: naming the setting and what to do.
    """
    if recipe.pretrain.objective != Causal.name:
        config = own_config(recipe)
        check_writes(config, class_for(config), "--pretrain.objective")
