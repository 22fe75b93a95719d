"""The Trainer that measures itself, and tells what it measures to whatever watches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from pipeline.train.faults.guard import Guard
from pipeline.train.faults.halving import HalvingTrainer
from pipeline.train.watching.log import SUMMARY
from pipeline.train.watching.meter import Meter


class MeteredTrainer(HalvingTrainer):
    """A ``HalvingTrainer`` whose lines of the log say more to every callback that reads them: log, bar and trackers.

    Args:
        meter: what measures; without one, what is known of any model.
        guard: what skips steps that would do harm; without one, none is skipped.
        arguments: positional, as for Trainer.
        options: by name, as for ``HalvingTrainer``.
    """

    def __init__(
        self, *arguments: Any, meter: Meter | None = None, guard: Guard | None = None, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.meter, self.guard = meter or Meter(), guard
        self.add_callback(self.meter)
        if guard is not None:
            self.add_callback(guard)

    def unguard(self) -> None:
        """Skip no step, whatever harm it does."""
        if self.guard is not None:
            self.remove_callback(self.guard)
            self.guard = None

    def train(self, *arguments: Any, **options: Any) -> Any:
        if self.meter.energy is None:
            return super().train(*arguments, **options)
        with self.meter.energy.measuring(self.args.process_index, self.is_local_process_zero()):
            return super().train(*arguments, **options)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor | int | None]:
        waiting = self.meter.waiting(epoch_iterator)
        batches, items = super().get_batch_samples(waiting, num_batches, device)
        self.meter.count(batches)
        if self.guard is not None:
            self.guard.begin(batches)
        return batches, items

    def training_step(self, *arguments: Any, **options: Any) -> torch.Tensor:
        loss = super().training_step(*arguments, **options)
        return loss if self.guard is None else self.guard.see(loss)

    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        with self.meter.clock.stopped():
            return super().evaluate(*arguments, **options)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            skipped = {} if self.guard is None else self.guard.told(self.state.global_step)
            logs = {**logs, **skipped, **self.meter.line(self.accelerator)}
        elif SUMMARY in logs:
            logs = {**logs, **self.meter.summary(self.accelerator)}
        super().log(logs, start_time)
        self.meter.clock.mark()
