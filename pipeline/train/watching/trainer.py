"""The Trainer that measures itself, and tells what it measures to whatever watches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from transformers import Trainer

from pipeline.train.watching.log import SUMMARY
from pipeline.train.watching.meter import Meter


class MeteredTrainer(Trainer):
    """A Trainer whose lines of the log say more, to every callback that reads them: our log, bar and trackers.

    Args:
        meter: what measures; without one, what is known of any model.
        arguments: positional, as for Trainer.
        options: by name, as for Trainer.
    """

    def __init__(self, *arguments: Any, meter: Meter | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.meter = meter or Meter()
        self.add_callback(self.meter)

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
        return batches, items

    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        with self.meter.clock.stopped():
            return super().evaluate(*arguments, **options)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            logs = {**logs, **self.meter.line(self.accelerator)}
        elif SUMMARY in logs:
            logs = {**logs, **self.meter.summary(self.accelerator)}
        super().log(logs, start_time)
        self.meter.clock.mark()
