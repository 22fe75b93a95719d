"""Probabilities that are as often right as they say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from scipy.optimize import minimize_scalar
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
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
    return _least(lambda divisor: functional.cross_entropy(numbers / divisor, targets))


def label_temperature(logits: torch.Tensor, truth: Sequence[Sequence[float]]) -> float:
    """The same where each label is there or not by itself.

    Args:
        logits: ``(examples, labels)``.
        truth: 1 where a label is there, else 0.
    """
    numbers, targets = logits.double(), torch.tensor(truth, dtype=torch.float64)
    return _least(lambda divisor: functional.binary_cross_entropy_with_logits(numbers / divisor, targets))


def confidence_temperature(
    logits: Sequence[Sequence[float]], said: Sequence[int], right: Sequence[bool]
) -> float:
    """What logits are to be divided by so that the probability of what is said tells best whether it is right.

    The least negative log-likelihood of being right or not, which also tells of answers that are not among the options.

    Args:
        logits: of each example's options; examples may differ in their number.
        said: each example's choice among its options.
        right: whether that was right.

    Returns:
        Between 1/20 and 20.
    """
    rows = [torch.tensor(row, dtype=torch.float64) for row in logits]
    options = pad_sequence(rows, batch_first=True, padding_value=-torch.inf)
    choice, is_right = torch.tensor(said), torch.tensor(right, dtype=torch.float64)

    def loss(divisor: float) -> torch.Tensor:
        sure = (options / divisor).softmax(-1).gather(1, choice[:, None])[:, 0]
        return functional.binary_cross_entropy(sure.clamp(1e-9, 1 - 1e-9), is_right)

    return _least(loss)


def _least(loss: Callable[[float], torch.Tensor]) -> float:
    """The divisor of the least loss; searched by its logarithm."""
    found = minimize_scalar(lambda x: float(loss(math.exp(x))), bounds=(-_WIDEST, _WIDEST), method="bounded")
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
