"""Trainings that cannot be, of both kinds, and what pre-training has beside."""

from __future__ import annotations

from pipeline.checks.refusal import require
from pipeline.model import history
from pipeline.recipe import Align, Corruption, Finetune, Pretrain, Recipe, Stream


def check_saving(section: str, training: Pretrain | Finetune | Align) -> None:
    """Refuse what would keep nothing."""
    for name in ("checkpoint_every", "checkpoints_kept"):
        value = getattr(training, name)
        setting = f"{section}.{name.replace('_', '-')}"
        require(value > 0, setting, f"{value} keeps nothing of what is done", "use 1 or more")


def check_training(section: str, training: Pretrain | Finetune) -> None:
    """Refuse what no training can have."""
    check_saving(section, training)
    micro = training.micro_batch
    require(training.steps >= 0, f"{section}.steps", f"{training.steps} is negative", "use 1 or more")
    require(micro > 0, f"{section}.micro-batch", f"{micro} is too few", "use 1 or more")
    require(
        0 <= training.warmup <= 1,
        f"{section}.warmup",
        f"{training.warmup} is no share",
        "use one between 0 and 1",
    )
    require(
        training.leap >= 0,
        f"{section}.leap",
        f"{training.leap} is negative",
        "use standard deviations, such as 10, or 0",
    )
    require(
        training.skipped_steps >= 0,
        f"{section}.skipped-steps",
        f"{training.skipped_steps} is negative",
        "use 0 or more",
    )
    require(
        training.muon_learning_rate > 0,
        f"{section}.muon-learning-rate",
        f"{training.muon_learning_rate} teaches nothing",
        "use a positive rate, such as 0.02",
    )
    require(
        all(0 <= beta < 1 for beta in training.betas),
        f"{section}.betas",
        f"{training.betas} keep all or more of an average",
        "use two from 0 to below 1, such as 0.9 0.95",
    )
    require(
        training.optimizer != "schedule-free" or training.schedule == "constant",
        f"{section}.schedule",
        f"schedule-free averages the weights instead of lowering the rate, which {training.schedule} does",
        f"add --{section}.schedule constant, or take another optimizer",
    )


def check_pretraining(recipe: Recipe) -> None:
    """Refuse what pre-training cannot have."""
    settings = recipe.pretrain
    check_training("pretrain", settings)
    _check_schedule(settings)
    _check_stream(settings.stream)
    _check_history(recipe)
    _check_corruption(settings.corruption)
    require(
        settings.global_batch >= 0,
        "pretrain.global-batch",
        f"{settings.global_batch} is negative",
        "use 1 or more, or 0 for what suits the model's size",
    )
    require(
        settings.learning_rate >= 0,
        "pretrain.learning-rate",
        f"{settings.learning_rate} is negative",
        "use a positive rate, such as 1e-3, or 0 for what suits the model's size",
    )
    require(
        settings.tokens_per_parameter > 0,
        "pretrain.tokens-per-parameter",
        f"{settings.tokens_per_parameter} tokens train nothing",
        "use a positive number, such as 20",
    )
    require(
        settings.z_loss >= 0,
        "pretrain.z-loss",
        f"{settings.z_loss} would reward what it is there to hold down",
        "use 0 for none, or a small weight such as 1e-4",
    )
    for name in ("learning_rate", "global_batch") if recipe.model.start and settings.steps else ():
        require(
            getattr(settings, name) > 0,
            f"pretrain.{name.replace('_', '-')}",
            "for published weights no rule decides it",
            "set it",
        )


def _check_history(recipe: Recipe) -> None:
    family, settings = recipe.model.family, recipe.pretrain
    if recipe.model.start or family not in history.TRAINED:
        return
    require(
        settings.optimizer != "muon",
        "pretrain.optimizer",
        f"Muon is for matrices in a stack of layers, and {family} has none",
        "use adamw",
    )


def _check_stream(stream: Stream) -> None:
    require(
        len(stream.weights) in (0, len(stream.sources)),
        "pretrain.stream.weights",
        f"{len(stream.weights)} weights for {len(stream.sources)} sources",
        "give one for each source",
    )
    require(
        all(weight > 0 for weight in stream.weights),
        "pretrain.stream.weights",
        f"{stream.weights} are not all positive",
        "leave out the sources that nothing is to be taken of",
    )
    require(
        stream.window > 0,
        "pretrain.stream.window",
        f"{stream.window} tokens hold no document",
        "use some millions, such as 16000000",
    )


def _check_corruption(corruption: Corruption) -> None:
    require(
        0 < corruption.share < 1,
        "pretrain.corruption.share",
        f"{corruption.share:g} of the tokens leaves nothing to predict, or nothing to predict it from",
        "use one between 0 and 1, such as 0.15",
    )
    require(
        corruption.mean_span >= 1,
        "pretrain.corruption.mean-span",
        f"a span of {corruption.mean_span:g} tokens is none",
        "use 1 or more, such as 3",
    )
    require(
        0 < corruption.generator <= 1,
        "pretrain.corruption.generator",
        f"{corruption.generator:g} is no share of a width",
        "use one above 0 and up to 1, such as 0.25",
    )
    require(
        corruption.discriminator_weight > 0,
        "pretrain.corruption.discriminator-weight",
        f"{corruption.discriminator_weight:g} teaches the discriminator nothing",
        "use a positive one, such as 50",
    )


def _check_schedule(pretrain: Pretrain) -> None:
    require(
        0 <= pretrain.decay <= 1, "pretrain.decay", f"{pretrain.decay} is no share", "use one between 0 and 1"
    )
    require(
        pretrain.schedule != "wsd" or pretrain.warmup + pretrain.decay <= 1,
        "pretrain.decay",
        f"a warm-up of {pretrain.warmup} and a decay of {pretrain.decay} are more than all steps",
        f"use a decay of at most {1 - pretrain.warmup:g}",
    )
    require(
        0 <= pretrain.final_rate <= 1,
        "pretrain.final-rate",
        f"{pretrain.final_rate} is no share of the peak rate",
        "use one between 0 and 1, such as 0.1",
    )
    require(
        pretrain.final_rate == 0 or pretrain.schedule in ("wsd", "cosine"),
        "pretrain.final-rate",
        f"{pretrain.schedule} does not end at a rate of one's choice",
        "leave it at 0, or use wsd or cosine",
    )
