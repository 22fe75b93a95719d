"""Probabilities that are as often right as they say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from scipy.optimize import minimize_scalar
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

_WIDEST = math.log(20.0)


def temperature(logits: torch.Tensor, wanted: Sequence[int]) -> float:
    """What logits are to be divided by for the least negative log-likelihood (Guo et al., 2017, section 4.2).

    Args:
        logits: ``(examples, classes)``, of examples that were not trained on.
        wanted: their classes.

    Returns:
        Between 1/20 and 20.
    """
    targets = torch.tensor(wanted)
    return _least(logits, lambda divided: functional.cross_entropy(divided, targets))


def label_temperature(logits: torch.Tensor, truth: Sequence[Sequence[float]]) -> float:
    """The same where each label is there or not by itself.

    Args:
        logits: ``(examples, labels)``.
        truth: 1 where a label is there, else 0.
    """
    targets = torch.tensor(truth, dtype=torch.float64)
    return _least(logits, lambda divided: functional.binary_cross_entropy_with_logits(divided, targets))


def _least(logits: torch.Tensor, loss: Callable[[torch.Tensor], torch.Tensor]) -> float:
    numbers = logits.double()

    def surprise(logarithm: float) -> float:
        return float(loss(numbers / math.exp(logarithm)))

    found = minimize_scalar(surprise, bounds=(-_WIDEST, _WIDEST), method="bounded")
    return math.exp(float(found.x))


@torch.no_grad()
def divide_logits(model: PreTrainedModel, divisor: float) -> None:
    """Divide a classifier's logits for good: its last layer is a linear one, whatever the family calls it."""
    last = [
        module
        for module in model.modules()
        if isinstance(module, nn.Linear) and module.out_features == model.config.num_labels
    ][-1]
    last.weight /= divisor
    if last.bias is not None:
        last.bias /= divisor
