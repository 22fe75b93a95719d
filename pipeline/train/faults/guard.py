"""Steps that would do harm: a loss or a gradient that is no number, or a loss that leaps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from pipeline.artifacts import write_json
from pipeline.errors import GroundupError
from pipeline.processes import over_processes, rank, say

_REMEMBERED = 0.98
"""What the running mean and variance of the loss keep at each step: they are of the last fifty or so."""
_SETTLED = 50
"""Steps after which they are taken for known."""


class DivergedError(GroundupError):
    """Too many steps of a training would have done harm."""


class Guard(TrainerCallback, ExportableState):
    """Skips a step whose loss or gradient is no number, or whose loss leaps; ends a training that has too many.

    A loss leaps when it is above its running mean by more than so many of its running standard deviations. A skipped
    step changes no weight and no state of the optimiser; its micro-batches are written down.

    Args:
        most: steps that are skipped before the training ends.
        leap: in standard deviations; 0 lets it leap.
        place: directory for the micro-batches of skipped steps.

    Raises:
        DivergedError: in every process, at the step after ``most`` skipped ones.
    """

    def __init__(self, most: int, leap: float, place: Path) -> None:
        self.most, self.leap, self.place = most, leap, place
        self.mean, self.variance, self.known = 0.0, 0.0, 0
        self.skipped: list[int] = []
        self.batches: Sequence[Mapping[str, torch.Tensor]] = ()
        """The micro-batches of this step, in this process."""
        self.loss: torch.Tensor | float = 0.0
        """Their loss, summed: that of the step."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        kept = ("mean", "variance", "known", "skipped")
        return {"args": {}, "attributes": {name: getattr(self, name) for name in kept}}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        kept: Any = state.stateful_callbacks or {}
        for name, value in kept.get(type(self).__name__, {}).get("attributes", {}).items():
            setattr(self, name, value)

    def begin(self, batches: Sequence[Mapping[str, torch.Tensor]]) -> None:
        """A step begins, on these micro-batches."""
        self.batches, self.loss = batches, 0.0

    def see(self, loss: torch.Tensor) -> torch.Tensor:
        """Add a micro-batch's loss; what is given back is a number, since the Trainer adds it to those of all steps."""
        self.loss = self.loss + loss.float()
        return loss.nan_to_num(0.0, 0.0, 0.0)

    def on_pre_optimizer_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        **_: object,
    ) -> None:
        self.loss = over_processes(float(self.loss), "mean", args.device)
        wrong = self._wrong(self.loss, model)
        if not wrong:
            self._learn(self.loss)
            return
        step = state.global_step + 1
        self.skipped.append(step)
        file = self.place / f"step-{step}-process-{rank()}.json"
        write_json(file, {"step": step, "reason": wrong, "micro_batches": _plain(self.batches)})
        if len(self.skipped) > self.most:
            raise DivergedError(
                str(self.place),
                f"{wrong} at step {step}, after {self.most} steps that were skipped",
                "look at their batches there, and lower the learning rate or mend the data",
            )
        say(f"step {step} is skipped: {wrong}; its batch is {file}")
        for weight in model.parameters():
            weight.grad = None

    def _wrong(self, loss: float, model: torch.nn.Module) -> str:
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if not _are_numbers([w.grad for w in model.parameters() if w.grad is not None]):
            return "the gradient is no number"
        bound = self.mean + self.leap * math.sqrt(self.variance)
        if self.leap and self.known >= _SETTLED and loss > bound:
            return f"the loss leaps to {loss:.4g}, beyond {bound:.4g}"
        return ""

    def _learn(self, loss: float) -> None:
        """The running mean and variance, from the first on without a bias to nought."""
        self.known += 1
        new = max(1 - _REMEMBERED, 1 / self.known)
        away = loss - self.mean
        self.mean += new * away
        self.variance = (1 - new) * (self.variance + new * away * away)

    def told(self, step: int) -> dict[str, Any]:
        """What the log says beside of a step that was skipped."""
        return {"loss": self.loss, "skipped": True} if step in self.skipped else {}


def _are_numbers(gradients: Sequence[torch.Tensor]) -> bool:
    if not gradients:
        return True
    norm: Any = torch.nn.utils.get_total_norm(gradients)
    return bool(torch.isfinite(norm.full_tensor() if hasattr(norm, "full_tensor") else norm))


def _plain(batches: Sequence[Mapping[str, torch.Tensor]]) -> list[dict[str, Any]]:
    return [{name: value.tolist() for name, value in batch.items()} for batch in batches]
