"""Probabilities that are as often right as they say."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
    numbers, targets = logits.double(), torch.tensor(wanted)

    def surprise(logarithm: float) -> float:
        return float(functional.cross_entropy(numbers / math.exp(logarithm), targets))

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
