"""The output layer of a language model that takes the loss itself, in the model's forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from pipeline.train.loss import Shaping, fused, next_tokens, own_tokens, token_losses


class LossHead(nn.Linear):
    """An output layer that makes logits, or, while it is told the labels, their losses.

    It takes the place of a model's own through ``set_output_embeddings``, shares its parameters, and has the same
    name in the state dict, so whatever saves the model sees no difference. As the loss is taken within the forward
    pass, the weight is whole also where FSDP2 or DeepSpeed spread it over processes.

    Told the labels, its output is a single nought, which carries the gradient through whatever the model does with
    its logits; the losses are in ``losses``. They are exact where the output would be rounded or scaled.

    Args:
        head: the model's own.
        shaping: what the model makes of the products.
        z_loss: see ``loss_and_gradient``; in training only.
        compiles: whether to compile what is done with a few rows of logits.
    """

    def __init__(
        self, head: nn.Linear, shaping: Shaping, z_loss: float = 0.0, compiles: bool = False
    ) -> None:
        super().__init__(head.in_features, head.out_features, bias=head.bias is not None, device="meta")
        self.weight, self.bias = head.weight, head.bias
        self.shaping, self.z_loss, self.compiles = shaping, z_loss, compiles
        self.labels: torch.Tensor | None = None
        self.targets: torch.Tensor | None = None
        self.losses = torch.empty(0)
        """Of the last forward pass with labels: nats, ``(batch, length)``, 0 where there is no target."""

    @contextmanager
    def told(self, labels: torch.Tensor, targets: torch.Tensor | int | None = None) -> Iterator[None]:
        """Take losses instead of making logits while the block runs.

        Args:
            labels: ``(batch, length)``, -100 where there is none; each is the target of the position before it.
            targets: by how many the gradient is divided: those of the global batch; None takes those of ``labels``.
        """
        self.labels = labels
        own = self.wanted(labels).ge(0).sum()
        self.targets = own if targets is None else torch.as_tensor(targets, device=labels.device)
        try:
            yield
        finally:
            self.labels = self.targets = None

    def wanted(self, labels: torch.Tensor) -> torch.Tensor:
        """The target at each position, ``(batch · length,)``, of labels ``(batch, length)``."""
        return next_tokens(labels)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits ``(batch, length, vocabulary)`` of ``(batch, length, width)``; a nought, ``(1, 1, 1)``, if told."""
        if self.labels is None or self.targets is None:
            return functional.linear(hidden, self.weight, self.bias)
        rows, wanted = hidden.reshape(-1, hidden.shape[-1]), self.wanted(self.labels)
        if not torch.is_grad_enabled():
            losses = token_losses(rows, wanted, self.out_features, self._logits)
            self.losses = losses.view(self.labels.shape)
            return losses.new_zeros(1, 1, 1)
        precision = _precision(self.weight)
        losses, *gradients = fused(
            rows.detach().to(precision),
            self.weight.detach().to(precision),
            None if self.bias is None else self.bias.detach().to(precision),
            wanted,
            self.shaping.scale,
            self.shaping.cap,
            self.z_loss,
            self.compiles,
            trained=self.weight.requires_grad,
        )
        self.losses = losses.view(self.labels.shape)
        return _Nought.apply(rows, self.weight, self.bias, self.targets * self.shaping.scale, *gradients)

    def _logits(self, rows: torch.Tensor) -> torch.Tensor:
        return self.shaping(functional.linear(rows, self.weight, self.bias).float())


class InPlaceLossHead(LossHead):
    """That of an encoder-decoder or a masked model: each label is the target of the position at which it stands."""

    def wanted(self, labels: torch.Tensor) -> torch.Tensor:
        return own_tokens(labels)


def _precision(weight: torch.Tensor) -> torch.dtype:
    """In which the layer's product would be taken here."""
    device = weight.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype


class _Nought(torch.autograd.Function):
    """A nought whose gradient by the hidden states and the layer's parameters is known already."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        divisor: torch.Tensor,
        by_rows: torch.Tensor,
        by_weight: torch.Tensor,
        by_bias: torch.Tensor,
    ) -> torch.Tensor:
        ctx.save_for_backward(divisor, by_rows, by_weight, by_bias)
        layer = [None if part is None or not part.requires_grad else part.dtype for part in (weight, bias)]
        ctx.types = rows.dtype, *layer
        return torch.zeros(1, 1, 1, device=rows.device)

    @staticmethod
    def backward(ctx: Any, outer: torch.Tensor) -> Any:
        divisor, *gradients = ctx.saved_tensors
        factor = outer.view(()).float() / divisor
        by_rows, by_weight, by_bias = (
            None if kind is None else (gradient * factor).to(kind)
            for gradient, kind in zip(gradients, ctx.types, strict=True)
        )
        return by_rows, by_weight, by_bias, None, None, None, None


def put_loss_head(
    model: PreTrainedModel,
    z_loss: float = 0.0,
    compiles: bool = False,
    kind: type[LossHead] | None = None,
) -> LossHead | None:
    """Replace a model's output layer by a ``LossHead``; None, and nothing done, where its logits are made otherwise.

    They may be the product of a matrix, with a bias or not, scaled or capped, which is seen on a few products.

    Args:
        model: changed in place.
        z_loss: see ``loss_and_gradient``; in training only.
        compiles: whether to compile what is done with a few rows of logits.
        kind: of which labels; None takes what an encoder-decoder or else a causal model has.
    """
    head = model.get_output_embeddings()
    if type(head) is not nn.Linear:
        return None
    was_training = model.training
    model.eval()
    shaping = _shaping(model, head)
    model.train(was_training)
    if shaping is None:
        return None
    kind = kind or (InPlaceLossHead if model.config.is_encoder_decoder else LossHead)
    replaced = kind(head, shaping, z_loss, compiles)
    model.set_output_embeddings(replaced)
    return replaced


def _shaping(model: PreTrainedModel, head: nn.Linear) -> Shaping | None:
    """How a model's logits follow from its layer's products; None where they do otherwise than ``Shaping`` can say.

    Known products take the place of the layer's. That what follows has parameters, too, shows by a gradient.
    """
    sizes = torch.logspace(-3, 4, 40)
    tried = torch.cat([torch.zeros(1), sizes, -sizes]).to(model.device)
    given: list[torch.Tensor] = []

    def give(_: nn.Module, __: Any, products: torch.Tensor) -> torch.Tensor:
        positions, entries = products.shape[-2:]
        at = torch.arange(entries)[None] + 7 * torch.arange(positions)[:, None]  # many sizes at every entry
        given.append(tried[at % len(tried)].expand_as(products).to(products.dtype))
        return given[-1]

    hook = head.register_forward_hook(give)
    ids = torch.arange(8, device=model.device)[None]
    with torch.enable_grad():
        written = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
        logits = model(input_ids=ids, use_cache=False, **written).logits
    hook.remove()
    if len(given) != 1 or logits.requires_grad or logits.shape != given[0].shape:
        return None
    least, most = sizes[[0, -1]].tolist()
    near, far = (logits[given[0] == size][0].item() for size in (least, most))
    scale = near / least
    shaping = Shaping(scale) if far > 0.9 * scale * most else Shaping(scale, far)
    return shaping if torch.allclose(shaping(given[0]), logits, rtol=1e-3, atol=1e-5) else None
