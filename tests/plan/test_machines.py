"""Time, energy, money and room on machines."""

from __future__ import annotations

import dataclasses

import pytest

from pipeline.errors import GroundupError
from pipeline.model.parts import Parts
from pipeline.plan.machines import NAMED, Machine, estimate, prices_of, seconds_on
from pipeline.plan.needs import Need
from pipeline.train.memory import Memory

MACHINE = Machine("fast", flops=1e12, memory=1e9, bandwidth=1e11, watts=360)
NEED = Need(
    stage="pretrain",
    parts=Parts(10, 20, 30, 4, 0),
    trained=50_000_000,
    steps=100,
    global_batch=32,
    tokens=10_000,
    flops=1e15,
    memory=Memory(weights=2e8, gradients=0.0, optimizer=3e8, activations=2e8, logits=1e8, process=9e9),
    micro_batch=16,
    disk=1.0,
)


def test_computing_decides_where_there_is_much_of_it() -> None:
    found = estimate(MACHINE, [NEED, NEED], utilisation=0.5, prices={"fast": 1.8})
    assert found.seconds == pytest.approx(2 * 1e15 / 0.5e12)
    assert found.watt_hours == pytest.approx(360 * 4000 / 3600)
    assert found.price == pytest.approx(1.8 * 4000 / 3600)
    assert estimate(MACHINE, [NEED], 0.5, {"other": 1.0}).price is None


def test_moving_weights_decides_where_there_is_little() -> None:
    little = dataclasses.replace(NEED, flops=1.0)
    passes, state = 2, 2e8 + 2e8 + 3e8  # 32 sequences in micro-batches of 16; weights, gradients, optimiser
    assert seconds_on(MACHINE, little, 0.5) == pytest.approx(100 * 2 * (passes * 2e8 + state) / 1e11)
    assert seconds_on(dataclasses.replace(MACHINE, bandwidth=0.0), little, 0.5) < 1e-9


@pytest.mark.parametrize(
    ("memory", "devices", "fits"),
    [
        (0.81e9, 1, "yes"),
        (0.79e9, 1, "not pretrain"),
        (0.5e9, 4, "pretrain sharded"),
        (0.1e9, 4, "not pretrain"),
    ],
)
def test_what_fits_is_said(memory: float, devices: int, fits: str) -> None:
    machine = dataclasses.replace(MACHINE, memory=memory, devices=devices)
    assert estimate(machine, [NEED], 0.5, {}).fits == fits


def test_named_machines_have_all_that_is_reckoned_with() -> None:
    assert [machine.name for machine in NAMED] == ["a100", "h100", "h200", "8xh100"]
    assert all(min(m.flops, m.memory, m.bandwidth, m.watts) > 0 for m in NAMED)
    assert NAMED[-1].flops == 8 * NAMED[1].flops


def test_prices_are_words_of_the_command_line() -> None:
    assert prices_of(("here=0.5", "8xh100=20")) == {"here": 0.5, "8xh100": 20.0}
    for word, what in (
        ("h10=1", "did you mean 'h100'"),
        ("h100", "names no price"),
        ("h100=-1", "names no price"),
    ):
        with pytest.raises(GroundupError, match=what):
            prices_of((word,))
