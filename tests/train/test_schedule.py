"""Learning rates over the steps, as the Trainer's own scheduler gives them."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import get_scheduler

from pipeline.recipe import Finetune, Pretrain
from pipeline.train.schedule import schedule_arguments


def _rates(settings: Pretrain | Finetune) -> list[float]:
    """The share of the peak at every step, and after the last."""
    arguments = schedule_arguments(settings)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedule = get_scheduler(
        arguments["lr_scheduler_type"],
        optimizer,
        arguments["warmup_steps"],
        settings.steps,
        arguments["lr_scheduler_kwargs"],
    )
    rates = []
    for _ in range(settings.steps + 1):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        (Pretrain(steps=10, warmup=0.2, decay=0.4), [0, 0.5, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]),
        (
            Pretrain(steps=10, warmup=0.2, decay=0.4, final_rate=0.2),
            [0.2, 0.6, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2],
        ),
        (Pretrain(steps=4, warmup=0.5, schedule="linear"), [0, 0.5, 1, 0.5, 0]),
        (Pretrain(steps=4, warmup=0.5, schedule="constant"), [0, 0.5, 1, 1, 1]),
        (Pretrain(steps=3, warmup=0.5, decay=0.5), [0, 0.5, 1, 0]),  # both rounded up would be four steps
        (Finetune(steps=4, warmup=0.5), [0, 0.5, 1, 0.5, 0]),
        (Finetune(steps=4, warmup=0.5, schedule="constant"), [0, 0.5, 1, 1, 1]),
    ],
)
def test_rates_of_the_schedules(settings: Pretrain | Finetune, wanted: list[float]) -> None:
    assert _rates(settings) == pytest.approx(wanted)


def test_cosine_falls_to_its_share_of_the_peak() -> None:
    rates = _rates(Pretrain(steps=100, warmup=0.1, schedule="cosine", final_rate=0.1))
    assert rates[5] == pytest.approx(0.5) and rates[10] == 1.0 and rates[-1] == pytest.approx(0.1)
    assert rates[55] == pytest.approx(0.55)
    assert rates[30] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi * 20 / 90)) / 2)
