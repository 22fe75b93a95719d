"""Settings and encoded examples to a Trainer that keeps a bound on privacy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from pipeline.processes import say
from pipeline.recipe import Finetune
from pipeline.train.data.batches import PadMicroBatch
from pipeline.train.data.examples import Encoded
from pipeline.train.private.budget import budget_of
from pipeline.train.private.sampling import PadDrawn, PoissonBatches, Secret
from pipeline.train.private.trainer import PrivateTrainer


def trained_exactly(settings: Finetune) -> Finetune:
    """Settings of a training whose bound holds: in float32, not compiled, clipped by example alone."""
    return replace(settings, precision="float32", compile="no", gradient_clipping=0.0)


def private_trainer(
    model: nn.Module,
    loss: Callable[..., Any] | None,
    settings: Finetune,
    encoded: Encoded,
    lengths: Sequence[int],
    pad: PadMicroBatch,
    checkpoints: Path,
    options: Mapping[str, Any],
) -> PrivateTrainer:
    """The Trainer of a private fine-tuning before its first step.

    Args:
        model: with the task's head.
        loss: see ``Task.loss``.
        settings: of ``trained_exactly``.
        encoded: the whole training part.
        lengths: of its features, in tokens.
        pad: collates micro-batches.
        checkpoints: directory of the training's checkpoints, where its secret is.
        options: what ``MeteredTrainer`` takes beside; ``args`` are told how many micro-batches a step has.

    Raises:
        GroundupError: where no noise keeps the bound, or the model has no gradients by example.
    """
    budget = budget_of(settings, len(set(encoded.owners)))
    secret = Secret.of(checkpoints)
    data = PoissonBatches(encoded.features, encoded.owners, lengths, budget, settings.micro_batch, secret)
    arguments = options["args"]
    arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps = 1, data.count
    arguments.use_liger_kernel = False  # its layers give no gradients by example
    trainer = PrivateTrainer(model, loss, settings, data, PadDrawn(pad, encoded.features[0]), **options)
    say(
        f"private: noise of {budget.noise_multiplier:.3g} times the clip on samples of {budget.global_batch} of "
        f"{budget.examples} examples keeps epsilon below {settings.privacy.epsilon:g} at delta {budget.delta:.2g}"
    )
    return trainer
