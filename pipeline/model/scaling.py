"""What follows from a model's size where the recipe leaves it at 0: tokens, batch and AdamW's learning rate.

Muon's rate does not follow: its update is scaled to the shape of each matrix (``adjust_lr_fn="original"``), so
that one rate serves every width (Jordan et al., 2024, "Muon: An optimizer for hidden layers in neural networks").
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, replace
from typing import Any

from pipeline.model import history
from pipeline.model.dial import parameters_inside, position, shape_of
from pipeline.model.families import round_up
from pipeline.model.vocabulary import vocabulary_size
from pipeline.recipe import Finetune, Pretrain, Recipe

CHINCHILLA = 20.0
"""Tokens a parameter that bring most for the FLOPs (Hoffmann et al., 2022: table 3, whose three approaches agree near
it)."""
_FEWEST_SEQUENCES = 8
_LARGEST_RATE = 2.0**-7
"""The largest that Step Law was searched with."""
_SMALLEST_FITTED = 60_000_000
"""Parameters without embeddings of the smallest model that it was fitted on, in round numbers."""
_RATE_OF_BASE, _BASE = 5e-5, 110_000_000
"""AdamW's rate for fine-tuning a model of so many parameters (BERT base; Devlin et al., 2019, appendix A.3)."""
_SMALLEST_RATE, _LARGEST_TUNING_RATE = 1e-5, 1e-3
_ADAPTERS_RATE = 10
"""Times the rate for all weights is the best one for an adapter, at every size (Schulman et al., 2025)."""
_FOLLOW = (
    ("model", "width"),
    ("model", "heads"),
    ("model", "kv_heads"),
    ("model", "context"),
    ("tokenizer", "vocabulary"),
    ("pretrain", "global_batch"),
    ("pretrain", "steps"),
    ("pretrain", "learning_rate"),
)


def resolved(recipe: Recipe) -> Recipe:
    """The recipe with numbers in the place of names and zeros: what stages, fingerprints and reports see.

    Published weights bring their own tokenizer, and how to train them on does not follow from the dial.
    """
    shape = dataclasses.asdict(shape_of(recipe.model))
    recipe = replace(recipe, model=replace(recipe.model, **shape))
    if recipe.model.start:
        return recipe
    recipe = replace(recipe, tokenizer=replace(recipe.tokenizer, vocabulary=vocabulary_size(recipe)))
    return replace(recipe, pretrain=_pretraining(recipe))


@dataclass(frozen=True)
class Followed:
    """A setting that may follow from the size."""

    setting: str
    value: Any
    """As it is."""
    rule: Any
    """As it would be if the recipe left it open, and the other settings were as they are."""


def followed(recipe: Recipe) -> list[Followed]:
    """Every setting that may follow from the size, of a resolved recipe."""
    recipe = replace(recipe, model=replace(recipe.model, depth=position(recipe.model)))
    settings = []
    for section, name in _FOLLOW:
        group = getattr(recipe, section)
        opened = resolved(replace(recipe, **{section: replace(group, **{name: 0})}))
        value, rule = getattr(group, name), getattr(getattr(opened, section), name)
        settings.append(Followed(f"{section}.{name}".replace("_", "-"), value, rule))
    return settings


def parameters(recipe: Recipe) -> int:
    """Of the whole model, embeddings included, to within some per cent of what pipeline/model/cost.py counts."""
    shape = shape_of(recipe.model)
    vocabulary = round_up(vocabulary_size(recipe))
    if recipe.model.family in history.TRAINED:
        return history.parameters_of(recipe.model, shape, vocabulary)
    return parameters_inside(recipe.model) + vocabulary * shape.width


def compute_optimal(flops: float) -> tuple[float, float]:
    """Parameters and tokens that do most for so many FLOPs: 6 N D of them, and D = 20 N (Hoffmann et al., 2022)."""
    parameters = math.sqrt(flops / (6 * CHINCHILLA))
    return parameters, CHINCHILLA * parameters


def batch_tokens(tokens: float) -> float:
    """Tokens in one optimiser step for a run over so many: 0.58 D^0.571 (Li et al., 2025, "Step Law").

    "Predictable Scale: Part I – Optimal Hyperparameter Scaling Law in Large Language Model Pretraining": fitted on
    models of 60 million to 1 billion parameters with AdamW and a cosine schedule; below, and for Muon or another
    schedule, it is an extrapolation.
    """
    return 0.58 * tokens**0.571


def adamw_rate(matrix_parameters: int, tokens: float) -> float:
    """Peak rate of AdamW: 1.79 N^-0.713 D^0.307 (Li et al., 2025), N without embeddings, D tokens in the run.

    Fitted as ``batch_tokens`` is; never above 2^-7, the largest rate that was searched.
    """
    return min(_LARGEST_RATE, 1.79 * matrix_parameters**-0.713 * tokens**0.307)


def finetuning(settings: Finetune, parameters: int, examples: int) -> Finetune:
    """Settings with the steps that their passes make, and ``finetuning_rate`` where the rate is left to it.

    An adapter's is ten times that.

    Args:
        settings: as the recipe has them.
        parameters: of the model, embeddings included.
        examples: in the training part.
    """
    rate, factor = settings.learning_rate, 1 if settings.adapter.method == "none" else _ADAPTERS_RATE
    return replace(
        settings,
        steps=math.ceil(settings.passes * examples / settings.global_batch) or settings.steps,
        learning_rate=float(f"{factor * finetuning_rate(parameters):.2g}") if rate == "auto" else rate,
    )


def finetuning_rate(parameters: int) -> float:
    """Peak rate of AdamW for fine-tuning: 5e-5 at the size of BERT base, falling as the size grows, 1e-5 to 1e-3.

    The exponent joins that rate with the 1e-3 that suits the quickstart's four million parameters.
    """
    rate = _RATE_OF_BASE * (_BASE / parameters) ** 0.9
    return min(_LARGEST_TUNING_RATE, max(_SMALLEST_RATE, rate))


def _pretraining(recipe: Recipe) -> Pretrain:
    """Tokens by parameters (Hoffmann et al., 2022: about 20 each), then the batch, the steps and the rate.

    The batch is a power of two of at least 8 sequences, so that it divides among processes and into micro-batches.
    Longer training raises the rate; a run cut short keeps that of the whole. Where AdamW moves the matrices, the
    rate of a small model is that of the smallest in the fit: on one of 0.4 million parameters the law extrapolated
    was ten times too high for that, while embeddings beside Muon were best there.
    """
    settings, context = recipe.pretrain, shape_of(recipe.model).context
    tokens = settings.tokens_per_parameter * parameters(recipe)
    power = round(math.log2(batch_tokens(tokens) / context))
    batch = settings.global_batch or max(_FEWEST_SEQUENCES, 2**power)
    steps = settings.steps or math.ceil(tokens / (batch * context))
    smallest = 0 if settings.optimizer == "muon" else _SMALLEST_FITTED
    matrices = max(parameters_inside(recipe.model), smallest)
    rate = adamw_rate(matrices, max(tokens, steps * batch * context))
    return replace(
        settings,
        global_batch=batch,
        steps=steps,
        learning_rate=settings.learning_rate or float(f"{rate:.3g}"),
    )
