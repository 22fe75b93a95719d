"""Machines that a training may run on: this one as it was measured, others by their makers' data sheets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import GroundupError, nearest, shown
from pipeline.model.peak import data_sheet_flops_per_second
from pipeline.plan.needs import Need

HERE = "here"
"""What this machine is called."""


@dataclass(frozen=True)
class Machine:
    """What a machine has, all its devices together where nothing else is said."""

    name: str
    """As --plan.prices calls it."""
    flops: float
    """FLOP/s at the peak, in bfloat16 with dense matrices."""
    memory: float
    """Bytes, of each device."""
    bandwidth: float
    """Bytes a second between memory and chip, of each device; 0 where it is not known."""
    watts: float
    """0 where it is not known."""
    devices: int = 1


def _gpu(name: str, device: str, memory: float, bandwidth: float, watts: float, devices: int = 1) -> Machine:
    return Machine(name, devices * data_sheet_flops_per_second(device), memory, bandwidth, watts, devices)


NAMED = (
    _gpu("a100", "A100", 80e9, 2.039e12, 400),
    _gpu("h100", "H100", 80e9, 3.35e12, 700),
    _gpu("h200", "H200", 141e9, 4.8e12, 700),
    _gpu("8xh100", "H100", 80e9, 3.35e12, 10_200, devices=8),
)
"""By NVIDIA's data sheets: "A100 Tensor Core GPU" (SXM, 80 GB), "H100 Tensor Core GPU" (SXM), "H200 Tensor Core GPU"
(SXM) with the largest thermal design power of the GPU alone; "DGX H100" with the largest power of the whole system."""


def prices_of(named: Sequence[str]) -> dict[str, float]:
    """The price of an hour by machine, from words such as ``h100=2.50``.

    Raises:
        GroundupError: for an unknown machine, and for what is no price.
    """
    known, found = [HERE, *(machine.name for machine in NAMED)], {}
    for word in named:
        name, _, price = word.partition("=")
        if name not in known:
            raise GroundupError(
                "--plan.prices", f"the plan knows no machine '{shown(name)}'", nearest(name, known)
            )
        try:
            found[name] = float(price)
        except ValueError:
            found[name] = -1.0
        if not 0 <= found[name] < math.inf:
            raise GroundupError("--plan.prices", f"'{shown(word)}' names no price", f"use {name}=2.50, say")
    return found


@dataclass(frozen=True)
class Estimate:
    """What some trainings take on a machine."""

    machine: Machine
    seconds: float
    watt_hours: float
    price: float | None
    """None where no price of an hour was named."""
    too_large: tuple[str, ...]
    """Stages that do not fit, however their weights are spread over the devices."""
    sharded: tuple[str, ...]
    """Stages that fit if weights, gradients and optimiser are spread over the devices."""

    @property
    def fits(self) -> str:
        """In words."""
        if self.too_large:
            return f"not {', '.join(self.too_large)}"
        return f"{', '.join(self.sharded)} sharded" if self.sharded else "yes"


def estimate(
    machine: Machine, needs: Sequence[Need], utilisation: float, prices: Mapping[str, float]
) -> Estimate:
    """Time, energy and money of trainings one after the other, and whether they fit.

    Args:
        machine: where.
        needs: what they need.
        utilisation: share of the peak that they reach.
        prices: of an hour, by machine.
    """
    seconds = sum(seconds_on(machine, need, utilisation) for need in needs)
    fit = {need.stage: _fit(machine, need) for need in needs}
    return Estimate(
        machine,
        seconds,
        machine.watts * seconds / 3600,
        prices[machine.name] * seconds / 3600 if machine.name in prices else None,
        too_large=tuple(stage for stage, how in fit.items() if how == "no"),
        sharded=tuple(stage for stage, how in fit.items() if how == "sharded"),
    )


def seconds_on(machine: Machine, need: Need, utilisation: float) -> float:
    """The longer of computing and moving bytes: the roofline model (Williams et al., 2009).

    Moved are the weights, once each way for each micro-batch, and weights, gradients and the optimiser's state, read
    and written at each step. Activations, communication, starting of kernels and data come on top.
    """
    computing = need.flops / (machine.flops * utilisation)
    if not machine.bandwidth:
        return computing
    share = math.ceil(need.global_batch / machine.devices)
    passes = math.ceil(share / min(need.micro_batch, share))
    return max(computing, need.steps * 2 * (passes * need.memory.weights + need.state) / machine.bandwidth)


def _fit(machine: Machine, need: Need) -> str:
    rows = min(need.micro_batch, math.ceil(need.global_batch / machine.devices))
    on_way = (need.memory.activations + need.memory.logits) * rows / need.micro_batch
    kept = need.memory.weights + need.memory.gradients + need.memory.optimizer
    for how, devices in (("yes", 1), ("sharded", machine.devices)):
        if max(need.state / devices, kept / devices + on_way) <= machine.memory:
            return how
    return "no"
