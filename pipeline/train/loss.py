"""The cross-entropy of language models, without the logits of more than a few rows at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.nn import functional

_NUMBERS_AT_ONCE = {"cpu": 2**21, "cuda": 2**27}
"""Logits in float32 at a time: what fits a CPU's cache; enough rows to keep a GPU busy."""

_Piece = Callable[..., tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Shaping:
    """What a model makes of its output layer's products: ``cap * tanh(scale * product / cap)``.

    An infinite cap is none. Cohere and Granite scale; Gemma 2 caps (Gemma Team, 2024, section 2).
    """

    scale: float = 1.0
    cap: float = math.inf

    def __call__(self, products: torch.Tensor) -> torch.Tensor:
        """Logits, of any shape."""
        return shaped(products, self.scale, self.cap)


def shaped(products: torch.Tensor, scale: float, cap: float) -> torch.Tensor:
    """``Shaping``, where no object can be handed on."""
    scaled = products if scale == 1.0 else products * scale
    return scaled if cap == math.inf else cap * torch.tanh(scaled / cap)


def next_tokens(labels: torch.Tensor) -> torch.Tensor:
    """The target at each position, ``(batch · length,)``: the label of the one after it, none at a row's end."""
    return functional.pad(labels[:, 1:], (0, 1), value=-100).reshape(-1)


def own_tokens(labels: torch.Tensor) -> torch.Tensor:
    """The target at each position, ``(batch · length,)``, of labels that stand where they are predicted."""
    return labels.reshape(-1)


@torch.no_grad()
def row_losses(
    logits: torch.Tensor,
    labels: torch.Tensor,
    targets: Callable[[torch.Tensor], torch.Tensor] = next_tokens,
) -> torch.Tensor:
    """Negative log-likelihood summed over each row's targets, in nats.

    Args:
        logits: ``(batch, length, vocabulary)``.
        labels: ``(batch, length)``, -100 where there is none.
        targets: of labels, that at each position.

    Returns:
        ``(batch,)``, float32.
    """
    flat = logits.reshape(-1, logits.shape[-1])
    losses = token_losses(flat, targets(labels), logits.shape[-1], lambda rows: rows)
    return losses.view(labels.shape).sum(-1)


@torch.no_grad()
def token_losses(
    rows: torch.Tensor,
    targets: torch.Tensor,
    vocabulary: int,
    logits_of: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Negative log-likelihood of each target, in nats, without gradients; 0 where there is none.

    Args:
        rows: ``(positions, …)``, of which ``logits_of`` makes ``(positions, vocabulary)``.
        targets: ``(positions,)``, -100 where there is none.
        vocabulary: entries of the logits.
        logits_of: called on a few rows at a time.

    Returns:
        ``(positions,)``, float32.
    """
    pieces = zip(_chunks(rows, vocabulary), _chunks(targets, vocabulary), strict=True)
    return torch.cat(
        [
            functional.cross_entropy(logits_of(some).float(), wanted, reduction="none", ignore_index=-100)
            for some, wanted in pieces
        ]
    )


def _chunks(rows: torch.Tensor, vocabulary: int) -> tuple[torch.Tensor, ...]:
    return rows.split(max(1, _NUMBERS_AT_ONCE[rows.device.type] // vocabulary))


def loss_and_gradient(
    products: torch.Tensor, targets: torch.Tensor, scale: float, cap: float, z_loss: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of some rows, and the gradient of its sum by their products, in the products' own precision.

    Args:
        products: of the output layer, ``(rows, vocabulary)``.
        targets: ``(rows,)``, negative where there is none.
        scale: see ``Shaping``.
        cap: see ``Shaping``.
        z_loss: weight of the squared log-partition function, which keeps logits from drifting (Chowdhery et al.,
            2022, section 5: 1e-4); 0 leaves it out.
    """
    logits = shaped(products.float(), scale, cap)
    greatest = logits.amax(-1, keepdim=True)
    powers = torch.exp(logits - greatest)  # once, for the loss and its gradient
    partition = powers.sum(-1, keepdim=True)
    log_partition = (torch.log(partition) + greatest)[:, 0]
    counts = targets.ge(0)
    wanted = targets.clamp(min=0)[:, None]
    losses = log_partition - logits.gather(1, wanted)[:, 0]
    gradient = powers / partition
    if z_loss:
        losses = losses + z_loss * log_partition**2
        gradient = gradient * (1 + 2 * z_loss * log_partition)[:, None]
    gradient = gradient.scatter_add(1, wanted, torch.full_like(wanted, -1, dtype=gradient.dtype))
    if cap != math.inf:
        gradient = gradient * (1 - (logits / cap) ** 2)
    if scale != 1.0:
        gradient = gradient * scale
    return losses * counts, (gradient * counts[:, None]).to(products.dtype)


@cache
def _piece(compiles: bool) -> _Piece:
    return torch.compile(loss_and_gradient) if compiles else loss_and_gradient


def linear_cross_entropy(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    targets: torch.Tensor,
    scale: float,
    cap: float,
    z_loss: float,
    compiles: bool,
    trained: bool = True,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Output layer and loss in one, and the gradients with it, a few rows of logits at a time.

    The idea is that of Liger's kernel (Hsu et al., 2024), in plain PyTorch.

    Args:
        hidden: what the output layer takes, ``(positions, width)``.
        weight: ``(vocabulary, width)``, in the same precision.
        bias: ``(vocabulary,)``, or None.
        targets: ``(positions,)``, negative where there is none.
        scale: see ``Shaping``.
        cap: see ``Shaping``.
        z_loss: see ``loss_and_gradient``.
        compiles: whether to compile what is done with a few rows of logits.
        trained: whether the layer itself is.

    Returns:
        Losses, ``(positions,)``, and the gradients of their sum: by ``hidden`` in its precision; by ``weight`` and
        ``bias`` in float32, the latter empty where there is none, and both where the layer is not trained.
    """
    vocabulary, piece = len(weight), _piece(compiles)
    losses = torch.empty(len(hidden), device=hidden.device)
    by_hidden = torch.empty_like(hidden)
    by_weight = torch.zeros(weight.shape if trained else 0, device=hidden.device)
    by_bias = torch.zeros(vocabulary if trained and bias is not None else 0, device=hidden.device)
    at = 0
    for rows, wanted in zip(_chunks(hidden, vocabulary), _chunks(targets, vocabulary), strict=True):
        here = slice(at, at + len(rows))
        losses[here], gradient = piece(functional.linear(rows, weight, bias), wanted, scale, cap, z_loss)
        torch.mm(gradient, weight, out=by_hidden[here])
        if trained:
            by_weight += gradient.T @ rows
        if trained and bias is not None:
            by_bias += gradient.sum(0, dtype=torch.float32)
        at += len(rows)
    return losses, by_hidden, by_weight, by_bias


fused = torch.library.custom_op("groundup::linear_cross_entropy", linear_cross_entropy, mutates_args=())
"""``linear_cross_entropy`` as an operator: a model is compiled as one graph around it."""


@fused.register_fake
def _shapes(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    *others: Any,
    trained: bool = True,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    return (
        hidden.new_empty(hidden.shape[0], dtype=torch.float32),
        torch.empty_like(hidden),
        hidden.new_empty(weight.shape if trained else 0, dtype=torch.float32),
        hidden.new_empty(weight.shape[0] if trained and bias is not None else 0, dtype=torch.float32),
    )
