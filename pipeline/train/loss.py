"""The cross-entropy of causal language models, without the float32 logits of more than a few rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel, TrainingArguments

from pipeline.processes import shards_weights

_NUMBERS_AT_ONCE = {"cpu": 2**21, "cuda": 2**27}
"""Logits in float32 at a time: what fits a CPU's cache; enough rows to keep a GPU busy."""


_LARGE = 1e4
_Piece = Callable[[torch.Tensor, torch.Tensor, float], tuple[torch.Tensor, torch.Tensor]]


class HeadInLoss(nn.Linear):
    """An output layer that, in training, leaves its product to the loss: its output is then its input.

    It takes the place of a model's own layer through ``set_output_embeddings``, shares its weight, and has the same
    name in the state dict, so whatever saves the model sees no difference.
    """

    def __init__(self, head: nn.Linear) -> None:
        super().__init__(head.in_features, head.out_features, bias=False, device="meta")
        self.weight = head.weight

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states ``(…, width)`` as they are in training, logits ``(…, vocabulary)`` otherwise."""
        return hidden if self.training else functional.linear(hidden, self.weight)


def defer_head(model: PreTrainedModel) -> HeadInLoss | None:
    """Put a ``HeadInLoss`` into a model whose logits are its hidden states times a matrix; None for others.

    Whether they are is tried on a few tokens: some families have a bias, or cap their logits.
    """
    head = model.get_output_embeddings()
    if type(head) is not nn.Linear or head.bias is not None:
        return None
    deferred, was_training = HeadInLoss(head), model.training
    ids = torch.arange(8, device=model.device)[None]  # of which padding, whose vector may be zero, is one
    model.eval()
    with torch.no_grad():
        large = head.register_forward_hook(lambda _, __, logits: logits * _LARGE)  # where a cap shows
        logits = model(input_ids=ids, use_cache=False).logits / _LARGE
        large.remove()
        model.set_output_embeddings(deferred)
        deferred.train()
        product = functional.linear(model(input_ids=ids, use_cache=False).logits, head.weight)
    model.train(was_training)
    if product.shape == logits.shape and torch.allclose(product, logits, rtol=1e-3, atol=1e-5):
        return deferred
    model.set_output_embeddings(head)
    return None


class CausalLoss:
    """What ``Trainer`` takes as ``compute_loss_func``: mean negative log-likelihood (nats) of the next tokens.

    Args:
        head: the output layer where the model leaves its product to the loss, else None.
        z_loss: weight of the squared log-partition function, which keeps logits from drifting (Chowdhery et al.,
            2022, section 5: 1e-4); 0 leaves it out.
        products: precision of the output layer's products in the loss. Accelerate's autocast ends with the model.
        compiles: whether to compile what is done with a few rows of logits.
    """

    def __init__(
        self,
        head: HeadInLoss | None,
        z_loss: float = 0.0,
        products: torch.dtype = torch.float32,
        compiles: bool = False,
    ) -> None:
        self.head, self.z_loss, self.products = head, z_loss, products
        self.piece: _Piece = torch.compile(loss_and_gradient) if compiles else loss_and_gradient

    def __call__(
        self, outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """The sum over this micro-batch's targets, divided by the targets of the global batch.

        Args:
            outputs: the model's; ``logits`` are ``(batch, length, width)`` where the head is in the loss, else
                ``(batch, length, vocabulary)``.
            labels: ``(batch, length)``, -100 where there is none.
            num_items_in_batch: targets in all micro-batches of the step; None takes those of this one.
        """
        targets = next_tokens(labels)
        features = outputs.logits.reshape(len(targets), -1)
        if self.head is not None and self.head.training:
            total = _LinearCrossEntropy.apply(
                features, self.head.weight, targets, self.z_loss, self.piece, self.products
            )
        else:
            total = _CrossEntropy.apply(features, targets, self.z_loss, self.piece)
        return total / (targets.ge(0).sum() if num_items_in_batch is None else num_items_in_batch)

    def by_row(self, outputs: Any, labels: torch.Tensor) -> torch.Tensor:
        """``row_losses`` of what a model returned."""
        if self.head is not None and self.head.training:
            weight = self.head.weight.to(self.products)
            return row_losses(outputs.logits.to(self.products), labels, weight)
        return row_losses(outputs.logits, labels)

    @contextmanager
    def deferring(self) -> Iterator[None]:
        """Let a model that is not in training leave its output layer to the loss too, while the block runs."""
        if self.head is None:
            yield
            return
        self.head.train()
        yield
        self.head.eval()


def causal_loss(model: PreTrainedModel, arguments: TrainingArguments, z_loss: float = 0.0) -> CausalLoss:
    """The loss of a model that a ``Trainer`` will train; the model leaves its output layer to it where it can."""
    head = None if shards_weights() else defer_head(model)  # a part of the weight has no whole product
    products = torch.bfloat16 if arguments.bf16 else torch.float32
    return CausalLoss(head, z_loss, products, arguments.torch_compile)


def next_tokens(labels: torch.Tensor) -> torch.Tensor:
    """The target at each position, ``(batch · length,)``: the label of the one after it, none at a row's end."""
    return functional.pad(labels[:, 1:], (0, 1), value=-100).reshape(-1)


@torch.no_grad()
def row_losses(
    features: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Negative log-likelihood summed over each row's targets, in nats.

    Args:
        features: logits, ``(batch, length, vocabulary)``, or what their layer takes, ``(batch, length, width)``.
        labels: ``(batch, length)``, -100 where there is none.
        weight: of the output layer, ``(vocabulary, width)``, where the features are not logits yet.

    Returns:
        ``(batch,)``, float32.
    """
    flat, targets = features.reshape(-1, features.shape[-1]), next_tokens(labels)
    vocabulary = features.shape[-1] if weight is None else len(weight)
    parts = []
    for rows, wanted in zip(_chunks(flat, vocabulary), _chunks(targets, vocabulary), strict=True):
        logits = rows if weight is None else functional.linear(rows, weight)
        parts.append(functional.cross_entropy(logits.float(), wanted, reduction="none", ignore_index=-100))
    return torch.cat(parts).view(labels.shape).sum(-1)


def _chunks(rows: torch.Tensor, vocabulary: int) -> tuple[torch.Tensor, ...]:
    return rows.split(max(1, _NUMBERS_AT_ONCE[rows.device.type] // vocabulary))


def loss_and_gradient(
    logits: torch.Tensor, targets: torch.Tensor, z_loss: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Summed loss of some rows, and its gradient by their logits in the logits' own precision."""
    numbers = logits.float()
    greatest = numbers.amax(-1, keepdim=True)
    powers = torch.exp(numbers - greatest)  # once, for the loss and its gradient
    partition = powers.sum(-1, keepdim=True)
    log_partition = (torch.log(partition) + greatest)[:, 0]
    counts = targets.ge(0)
    wanted = targets.clamp(min=0)[:, None]
    losses = log_partition - numbers.gather(1, wanted)[:, 0]
    gradient = powers / partition
    if z_loss:
        losses = losses + z_loss * log_partition**2
        gradient = gradient * (1 + 2 * z_loss * log_partition)[:, None]
    gradient = gradient.scatter_add(1, wanted, torch.full_like(wanted, -1, dtype=gradient.dtype))
    return (losses * counts).sum(), (gradient * counts[:, None]).to(logits.dtype)


class _LinearCrossEntropy(torch.autograd.Function):
    """Output layer and loss in one: the gradients are taken with the loss, a few rows of logits at a time.

    The idea is that of Liger's kernel (Hsu et al., 2024), in plain PyTorch.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        targets: torch.Tensor,
        z_loss: float,
        piece: _Piece,
        products: torch.dtype,
    ) -> torch.Tensor:
        small, matrix = hidden.detach().to(products), weight.detach().to(products)
        total = torch.zeros((), device=hidden.device)
        by_hidden, by_weight = torch.empty_like(small), torch.zeros_like(weight, dtype=torch.float32)
        at = 0
        for rows, wanted in zip(_chunks(small, len(weight)), _chunks(targets, len(weight)), strict=True):
            loss, gradient = piece(rows @ matrix.T, wanted, z_loss)
            total += loss
            torch.mm(gradient, matrix, out=by_hidden[at : at + len(rows)])
            by_weight += gradient.T @ rows
            at += len(rows)
        ctx.save_for_backward(by_hidden, by_weight)
        ctx.types = hidden.dtype, weight.dtype
        return total

    @staticmethod
    def backward(ctx: Any, outer: torch.Tensor) -> Any:
        by_hidden, by_weight = ctx.saved_tensors
        hidden_type, weight_type = ctx.types
        return (
            (by_hidden * outer).to(hidden_type),
            (by_weight * outer).to(weight_type),
            None,
            None,
            None,
            None,
        )


class _CrossEntropy(torch.autograd.Function):
    """The same for logits that are there already: their gradient in their own precision, float32 for few rows."""

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, targets: torch.Tensor, z_loss: float, piece: _Piece
    ) -> torch.Tensor:
        total = torch.zeros((), device=logits.device)
        by_logits = torch.empty_like(logits)
        at = 0
        for rows, wanted in zip(
            _chunks(logits.detach(), logits.shape[-1]), _chunks(targets, logits.shape[-1]), strict=True
        ):
            loss, by_logits[at : at + len(rows)] = piece(rows, wanted, z_loss)
            total += loss
            at += len(rows)
        ctx.save_for_backward(by_logits)
        return total

    @staticmethod
    def backward(ctx: Any, outer: torch.Tensor) -> Any:
        (by_logits,) = ctx.saved_tensors
        return by_logits * outer, None, None, None
