"""How fast this machine is and what it draws: five seconds of matrix products and of steps of the recipe's model."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline.model.cost import cost_or_estimate, measured_flops_per_second
from pipeline.model.machine import on_device, takes_bfloat16, use_physical_cores
from pipeline.plan.needs import Training
from pipeline.train.arguments import micro_batch
from pipeline.train.memory import Batch, forward_and_backward, trained_alike
from pipeline.train.watching.clock import wait_for_device
from pipeline.train.watching.energy import Energy

SECONDS = 5.0
_PRODUCTS = 1.0
"""Of them, for matrix products."""
_SLOW = 0.25
"""As many rows are tried as take two seconds at this share of the speed in matrix products."""


@dataclass(frozen=True)
class Speed:
    """One device of this machine."""

    products: float
    """FLOP/s in matrix products."""
    training: float
    """FLOP/s that steps reached, not compiled; 0 where none was short enough to try."""
    watts: float
    """That the whole machine drew, by CodeCarbon; 0 where it is not installed."""
    watts_from: str
    """How CodeCarbon found it."""
    seconds: float
    """That the measurement took."""

    @property
    def utilisation(self) -> float:
        """Share of the speed in matrix products that steps reached; 0 where none was tried."""
        return self.training / self.products


def measured_speed(training: Training | None, precision: str, energy: bool) -> Speed:
    """Measure for five seconds, or a little more.

    Args:
        training: whose steps are tried; None for none.
        precision: the setting.
        energy: whether to measure that.
    """
    use_physical_cores()
    bfloat16 = takes_bfloat16(precision)  # type: ignore[arg-type]  # a setting, checked before
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        meter = Energy("", Path(place))
        with meter.measuring(0, is_first_of_machine=energy):
            products = measured_flops_per_second(bfloat16, _PRODUCTS)
            step = _steps(training, products, bfloat16) if training else None
            reached = _rate(step, began) if step else 0.0
            while time.monotonic() - began < SECONDS:
                measured_flops_per_second(bfloat16, 0.2)
        return Speed(products, reached, meter.watts, meter.method, time.monotonic() - began)


@dataclass(frozen=True)
class _Step:
    take: Callable[[], None]
    flops: float


def _rate(step: _Step, began: float) -> float:
    """FLOP/s of steps until the time is up; the first one, which warms up, does not count."""
    step.take()
    steps, start = 0, time.monotonic()
    while not steps or time.monotonic() - began < SECONDS:
        step.take()
        steps += 1
    return step.flops * steps / (time.monotonic() - start)


def _steps(training: Training, products: float, bfloat16: bool) -> _Step | None:
    """A micro-batch forward and backward, or some rows of it; None where that takes too long or cannot be tried."""
    settings = training.settings
    each = (
        training.length
        * cost_or_estimate(training.config, training.length, training.head, training.adapter).flops_per_token
    )
    rows, _ = micro_batch(settings.global_batch, settings.micro_batch)
    rows = min(rows, int((SECONDS - _PRODUCTS) / 2 * _SLOW * products / each))
    if not rows:
        return None
    try:
        model = on_device(
            trained_alike(training.config, training.head, training.choice(0.0), training.adapter)
        )
    except (RuntimeError, ValueError):
        return None
    batch = Batch(rows, training.length, accumulated=False)

    def take() -> None:
        with torch.device(model.device):
            forward_and_backward(model, batch, bfloat16)
        model.zero_grad()
        wait_for_device()

    return _Step(take, rows * each)
