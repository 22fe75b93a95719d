"""Turns for whatever trains by a ``Trainer``."""

from __future__ import annotations

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from benchmarks.turns import Turns


class TakeTurns(TrainerCallback):
    """Ends a step of the contender's turn with each optimiser step of the ``Trainer``."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.turns.end_of_step()
