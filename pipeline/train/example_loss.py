"""The loss of each example by itself, whatever its batch: what is clipped under privacy and attacked by membership."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional
from transformers.loss.loss_utils import ForSequenceClassificationLoss

from pipeline.train.loss import next_tokens

TARGETS = ("labels", "start_positions", "end_positions")
"""What a batch holds beside what the model reads."""


def example_losses(
    outputs: Any, targets: Mapping[str, torch.Tensor], config: Any, loss: Callable[..., Any] | None
) -> torch.Tensor:
    """Each example's loss: of tokens the mean over its own, of a span the mean of both ends, else the head's.

    Args:
        outputs: of the model, which was not told the targets.
        targets: ``labels``, ``(batch, length)`` with -100 where there is none, or of a head as it takes them; or
            ``start_positions`` and ``end_positions``, ``(batch,)``.
        config: of the model.
        loss: what takes the place of the head's own (``Task.loss``).

    Returns:
        ``(batch,)``, in nats where the loss is a cross-entropy.
    """
    if "start_positions" in targets:
        return span_losses(outputs, targets)
    labels = targets["labels"]
    if labels.dim() == 2 and not labels.is_floating_point():
        return _token_losses(outputs.logits, labels, config.is_encoder_decoder)
    # A head's loss is the mean over its batch, so that of a batch of one is the example's.
    own = [slice(row, row + 1) for row in range(len(labels))]
    if loss is not None:
        return torch.stack([loss(_Logits(outputs.logits[one]), labels[one]) for one in own])
    return torch.stack(
        [ForSequenceClassificationLoss(labels[one], outputs.logits[one], config) for one in own]
    )


class _Logits:
    """A row of a model's outputs, as losses take them."""

    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits


def _token_losses(logits: torch.Tensor, labels: torch.Tensor, reads: bool) -> torch.Tensor:
    wanted = labels.reshape(-1) if reads else next_tokens(labels)
    losses = functional.cross_entropy(logits.flatten(0, 1).float(), wanted, reduction="none")
    counts = wanted.view(labels.shape).ge(0).sum(1)
    return losses.view(labels.shape).sum(1) / counts.clamp(min=1)


def span_losses(outputs: Any, targets: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Mean cross-entropy of each example's start and end over its tokens, which padding does not change.

    Args:
        outputs: with ``start_logits`` and ``end_logits``, ``(batch, length)``.
        targets: with ``attention_mask``, ``(batch, length)``, ``start_positions`` and ``end_positions``, ``(batch,)``.
    """
    padding = targets["attention_mask"].eq(0)
    starts, ends = (
        functional.cross_entropy(
            logits.float().masked_fill(padding, -torch.inf), targets[name], reduction="none"
        )
        for logits, name in ((outputs.start_logits, "start_positions"), (outputs.end_logits, "end_positions"))
    )
    return (starts + ends) / 2
