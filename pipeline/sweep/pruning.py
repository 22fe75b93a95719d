"""Telling Optuna how a trial goes while it trains, and ending one that others have left behind."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import optuna
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class Pruning(TrainerCallback):
    """Reports held-out bits per byte at every measurement; ends the training when the pruner says so.

    Trials are compared where the same share of their steps is done: there their schedules are alike, however
    long each is. A measurement that is no number ends the training too, as nothing is learnt after it.
    """

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial = trial
        self.step = 0
        """Of the last measurement."""
        self.value = math.nan
        """Of the last measurement, in bits per byte."""
        self.reported: set[int] = set()

    def report(self, entries: Iterable[Mapping[str, Any]], steps: int) -> None:
        """Report the measurements among entries of a log, each once.

        Args:
            entries: in order, with ``step`` and, where one was made, ``bits_per_byte``.
            steps: of the whole training.
        """
        for entry in entries:
            if "bits_per_byte" in entry:
                self.step, self.value = entry["step"], entry["bits_per_byte"]
                share = round(1000 * self.step / steps)
                if share not in self.reported:
                    self.reported.add(share)
                    self.trial.report(self.value, share)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> TrainerControl:
        self.report(state.log_history, state.max_steps)  # also those from before an interruption
        if state.global_step < state.max_steps and (
            not math.isfinite(self.value) or self.trial.should_prune()
        ):
            control.should_training_stop = True
        return control
