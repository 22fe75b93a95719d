"""Gradients by example: Opacus' hooks on a model of transformers, and whether what they give is right."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from pipeline.errors import GroundupError, first_line
from pipeline.model.adapters import stock

_REMEDY = (
    "add --finetune.adapter.kind lora, which trains linear layers alone, or start from a model of the kind of "
    "llama, qwen3, gpt2, bert or roberta"
)
Losses = Callable[[Mapping[str, Any]], torch.Tensor]
"""Each example's loss, ``(batch,)``, of a batch."""


def with_gradients_by_example(model: nn.Module, batch: Mapping[str, Any], losses: Losses) -> bool:
    """Have a backward pass of summed losses leave each weight's gradients by example, ``(batch, …)``.

    They are tried on two examples: the first one's loss alone has to give what autograd gives, and nothing of the
    second. Models that make their positions once for all examples have to be told those of each. Weights that no loss
    depends on are trained no more: they would get nothing but noise.

    Args:
        model: in training.
        batch: two examples.
        losses: of the model.

    Returns:
        Whether ``position_ids`` have to be given with each batch, ``(batch, length)``.

    Raises:
        GroundupError: where Opacus cannot take them, naming the weight.
    """
    from opacus.grad_sample import GradSampleHooks

    where = f"differential privacy for {stock(model).config.model_type}"
    try:
        hooks = GradSampleHooks(model, loss_reduction="sum")
        wrong = _wrong(model, losses(batch))
        if not wrong:
            return False
        if _takes_positions(model, batch, losses):
            wrong = _wrong(model, losses({**batch, "position_ids": positions(batch["input_ids"])}))
            if not wrong:
                return True
    except (NotImplementedError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise GroundupError(
            where, f"Opacus cannot take its gradients by example ({first_line(error)[:200]})", _REMEDY
        ) from error
    hooks.cleanup()
    raise GroundupError(where, f"the gradients by example of {wrong} cannot be told apart", _REMEDY)


def positions(ids: torch.Tensor) -> torch.Tensor:
    """Those of every example, ``(batch, length)``, as models take them that are told none."""
    return torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)


def _takes_positions(model: nn.Module, batch: Mapping[str, Any], losses: Losses) -> bool:
    """Whether a model takes positions, and the usual ones change nothing: RoBERTa's begin with another number."""
    if "position_ids" not in inspect.signature(stock(model).forward).parameters:
        return False
    was_training = model.training
    model.eval()
    with torch.no_grad():
        told = losses({**batch, "position_ids": positions(batch["input_ids"])})
        same = torch.allclose(losses(batch), told, rtol=1e-4, atol=1e-5)
    model.train(was_training)
    return same


def _wrong(model: nn.Module, losses: torch.Tensor) -> str:
    """The first weight whose gradients by example are not those of the examples; none is left behind."""
    losses[0].backward()
    found = ""
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        if weight.grad is None and weight.grad_sample is None:
            weight.requires_grad_(False)
        elif not found and not _is_of_first(weight, len(losses)):
            found = name
        weight.grad = weight.grad_sample = None
        weight._forward_counter = 0
    return found


def _is_of_first(weight: nn.Parameter, examples: int) -> bool:
    """Whether the gradients by example are the first one's, and of the others 0."""
    each: Any = weight.grad_sample
    if weight.grad is None or not isinstance(each, torch.Tensor) or len(each) != examples:
        return False
    own = weight.grad
    close = 1e-5 * float(own.abs().max()) + 1e-9
    return torch.allclose(each[0], own, rtol=1e-3, atol=close) and not each[1:].any()
