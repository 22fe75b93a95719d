"""What is measured at every step of a training (docs/training.md has the fields and their units)."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from transformers import PretrainedConfig, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pipeline.model.cost import cost
from pipeline.model.peak import peak_flops_per_second
from pipeline.processes import say
from pipeline.recipe import Adapter, Watch
from pipeline.startup import startup_seconds
from pipeline.train.watching.clock import Clock, wait_for_device
from pipeline.train.watching.energy import Energy, Spent

_COMPARED = 3
"""Steps of a start after which compilation is told: the first one, and two that it is compared with."""


class Meter(TrainerCallback):
    """Counts tokens, times steps and waiting, and reads memory and energy, of one training.

    Args:
        flops_per_token: of one training step (``pipeline.model.cost.Cost``); None where they are not known.
        peak: FLOP/s of one device.
        energy: what measures it, or None.
    """

    def __init__(
        self, flops_per_token: float | None = None, peak: float = 1.0, energy: Energy | None = None
    ) -> None:
        self.flops_per_token, self.peak, self.energy = flops_per_token, peak, energy
        self.clock = Clock()
        self.tokens, self.seconds, self.spent = 0, 0.0, Spent()
        self._devices = 1
        self._rates: dict[str, float] = {}
        self._first_steps: list[float] = []
        self._startup = 0.0
        self._told: set[str] = set()
        self._start_line()

    def _start_line(self) -> None:
        """Nothing was counted since the last line of the log."""
        self._counted: Any = 0
        self._waited, self._since = 0.0, self.clock.now()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Go on with the totals of the checkpoint, whose log ends where it was saved."""
        last: dict[str, Any] = next(
            (entry for entry in reversed(state.log_history) if "seconds" in entry), {}
        )
        self.tokens, self.seconds = last.get("tokens", 0), last.get("seconds", 0.0)
        self._devices = args.world_size * max(1, args.n_gpu)
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        self._start_line()
        self._step_began = self.clock.now()

    def on_optimizer_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        optimizer: Any = None,
        **_: object,
    ) -> None:
        """Note this step's rates by the names of their groups: the schedule moves on before they are logged."""
        first, *others = optimizer.param_groups  # the first one's the Trainer logs
        named = {g["name"]: float(g["lr"]) for g in reversed(others) if "name" in g}  # the first of a name
        self._rates = {name: rate for name, rate in named.items() if name != first.get("name")}

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if len(self._first_steps) < _COMPARED:
            wait_for_device()
            now = self.clock.now()
            self._first_steps.append(now - self._step_began)
            self._step_began = now
            self._startup = self._startup or startup_seconds()
        # The totals of a checkpoint are those of its last line, and the log ends with the last step.
        control.should_log |= control.should_save or state.global_step >= state.max_steps

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.clock.leave_out_since_mark()

    def waiting(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The same batches; the time until each is there counts as waiting for data."""
        while True:
            began = time.monotonic()
            batch = next(batches, None)
            self._waited += time.monotonic() - began
            if batch is None:
                return
            yield batch

    def count(self, batches: list[Mapping[str, Any]]) -> None:
        """Count the tokens of one step in this process, without those that a mask over them marks as padding."""
        for batch in batches:
            mask = batch.get("attention_mask")
            if mask is not None and mask.dim() == 2:  # with more dimensions it says what attends to what
                self._counted += mask.sum()
            else:
                self._counted += batch["input_ids"].numel()

    def line(self, accelerator: Accelerator) -> dict[str, Any]:
        """What the log says of the steps since its last line; every process takes part.

        Tokens and energy are those of all processes, waiting is that of the one that waited longest, memory that of
        the one that took most.
        """
        taken = max(self.clock.now() - self._since, 1e-9)
        share, memory = self._waited / taken, peak_memory()
        rows = _of_all(accelerator, [float(self._counted), share, memory, *self._reading()])
        tokens, shares, memories, *readings = zip(*rows, strict=True)
        self.tokens, self.seconds = self.tokens + round(sum(tokens)), self.seconds + taken
        self.spent = Spent(*map(sum, readings))
        self._start_line()
        return {
            **{f"learning_rate_{name}": rate for name, rate in self._rates.items()},
            "tokens": self.tokens,
            **self._speed(sum(tokens), taken),
            "data_wait": max(shares),
            "memory_gb": max(memories) / 1e9,
            "seconds": self.seconds,
            **self.energy_spent(),
            **self._once(),
        }

    def summary(self, accelerator: Accelerator) -> dict[str, Any]:
        """What is known only when all is over, the last reading of the energy; every process takes part."""
        if self.energy is not None:
            self.energy.stop()
        readings = zip(*_of_all(accelerator, self._reading()), strict=True)
        self.spent = Spent(*map(sum, readings))
        return {**self.energy_spent(), **self._once()}

    def speed(self) -> dict[str, float]:
        """Of the whole training, interruptions left out: tokens_per_second, mfu; and its seconds."""
        return {**self._speed(self.tokens, max(self.seconds, 1e-9)), "seconds": self.seconds}

    def energy_spent(self) -> dict[str, float]:
        """watt_hours and, where the country is known, co2_grams; nothing where nothing measures."""
        if self.energy is None or not self.energy.method:
            return {}
        co2 = {"co2_grams": self.spent.co2_grams} if self.energy.country else {}
        return {"watt_hours": self.spent.watt_hours, **co2}

    def _reading(self) -> tuple[float, float]:
        spent = self.energy.spent if self.energy is not None else Spent()
        return spent.watt_hours, spent.co2_grams

    def _speed(self, tokens: float, seconds: float) -> dict[str, float]:
        """Model FLOPs utilisation is what the model needs of what all devices could do at their peak."""
        speed = tokens / seconds
        if self.flops_per_token is None:
            return {"tokens_per_second": speed}
        return {
            "tokens_per_second": speed,
            "mfu": speed * self.flops_per_token / (self.peak * self._devices),
        }

    def _once(self) -> dict[str, Any]:
        """What one line of a start tells, the first one that knows it."""
        known: dict[str, Any] = {"startup_seconds": self._startup} if self._startup else {}
        if len(self._first_steps) == _COMPARED:
            first, *others = self._first_steps
            known["compile_seconds"] = max(0.0, first - min(others))
        if self.flops_per_token is not None:
            known |= {"flops_per_token": self.flops_per_token, "peak_flops_per_second": self.peak}
        if self.energy is not None and self.energy.method:
            known["energy_from"] = self.energy.method
        new = {name: value for name, value in known.items() if name not in self._told}
        self._told |= new.keys()
        return new


def meter_of(flops_per_token: float | None, bfloat16: bool, watch: Watch, checkpoints: Path) -> Meter:
    """A meter for a training.

    Args:
        flops_per_token: of one training step; None where they cannot be counted.
        bfloat16: whether training computes in it.
        watch: what to measure.
        checkpoints: directory of the training's checkpoints.
    """
    energy = Energy(watch.country, checkpoints) if watch.energy else None
    return Meter(flops_per_token, peak_flops_per_second(bfloat16, watch.peak_teraflops), energy)


def flops_per_token(
    config: PretrainedConfig,
    length: int,
    model_class: str,
    adapter: Adapter = Adapter(),  # noqa: B008 - frozen
) -> float | None:
    """``Cost.flops_per_token``, or None for models that look at numbers on their way and cannot do without weights.

    None too for encoder-decoders: a token read and a token written cost differently, and batches hold both.
    """
    if config.is_encoder_decoder:
        return None
    try:
        return cost(config, length, model_class, adapter).flops_per_token
    except RuntimeError:
        say(
            "model FLOPs utilisation is not measured: the work of this model cannot be counted without weights"
        )
        return None


def peak_memory() -> float:
    """Bytes: the most that tensors took on this process's GPU, or, without one, that the process was resident."""
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0  # KiB on Linux (man 2 getrusage)


def _of_all(accelerator: Accelerator, numbers: list[float] | tuple[float, ...]) -> list[list[float]]:
    """The numbers of every process."""
    if accelerator.num_processes == 1:
        return [list(numbers)]
    mine = torch.tensor([list(numbers)], dtype=torch.float64, device=accelerator.device)
    return accelerator.gather(mine).tolist()
