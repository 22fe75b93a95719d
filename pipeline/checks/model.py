"""Shapes that no model can have."""

from __future__ import annotations

from pipeline.checks.refusal import require
from pipeline.model import history
from pipeline.model.dial import Shape, shape_of
from pipeline.model.families import STOCK, check_family
from pipeline.recipe import Model, Recipe


def check_model(model: Model) -> None:
    """Refuse what the dial and the family cannot make."""
    layers = 1 if isinstance(model.depth, str) else model.depth
    require(layers >= 1, "model.depth", f"{layers} layers", "use at least 1")
    for name in ("width", "heads", "kv_heads", "context"):
        flag = f"model.{name.replace('_', '-')}"
        require(getattr(model, name) >= 0, flag, "it is negative", "use 1 or more, or 0 for the dial's own")
    shape = shape_of(model)
    if model.family in history.FAMILIES and not model.start:
        _check_history(model)
    else:
        _check_heads(model, shape)
    require(shape.context >= 16, "model.context", f"{shape.context} tokens are too few", "use at least 16")


def _check_heads(model: Model, shape: Shape) -> None:
    require(
        model.heads > 0 or model.width % 64 == 0,
        "model.width",
        f"{model.width} does not divide into heads of 64",
        "use a multiple of 64, or 0 for the dial's own, or set --model.heads",
    )
    require(
        shape.width % (2 * shape.heads) == 0,
        "model.heads",
        f"a width of {shape.width} does not divide into {shape.heads} heads of an even width",
        "use a divisor of half the width, or 0 for heads of 64",
    )
    require(
        shape.heads % shape.kv_heads == 0,
        "model.kv-heads",
        f"{shape.heads} heads do not divide into {shape.kv_heads} groups",
        f"use a divisor of {shape.heads}, or 0 for as many",
    )


def _check_history(model: Model) -> None:
    for name in ("heads", "kv_heads"):
        require(
            getattr(model, name) in (0, 1),
            f"model.{name.replace('_', '-')}",
            f"{model.family} has no attention",
            "leave it at 0, or use another family, such as llama",
        )
    require(model.window >= 1, "model.window", f"{model.window} words tell nothing", "use at least 1")


def check_causal_family(recipe: Recipe) -> None:
    """Refuse a family that the next token cannot be learnt with; the other objectives look at theirs themselves.

    They stand above this room, and are asked before the first stage (pipeline/train/objectives/).
    """
    model, is_causal = recipe.model, recipe.pretrain.is_causal
    if is_causal and not model.start and (model.family not in STOCK or model.kv_heads):
        check_family(model)
