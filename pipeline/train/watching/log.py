"""The log of a training: one JSON object a line (docs/training.md has its fields and their units)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pipeline.artifacts import read_log, write_json_lines

SUMMARY = "train_runtime"
"""Stands in what the Trainer logs when all is over, and in nothing else."""
_OF_A_SUMMARY = ("watt_hours", "co2_grams", "energy_from")
"""What is kept of it: its other numbers are of the last start alone."""


class Log(TrainerCallback):
    """``log.jsonl``: every step once, whatever interruptions there were.

    Args:
        file: the log.
        facts: what every line says beside, such as the name of the run.
    """

    def __init__(self, file: Path, facts: dict[str, Any]) -> None:
        self.file, self.facts = file, facts

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Take out the lines of steps that will be done again."""
        if state.is_world_process_zero:
            kept = [entry for entry in read_log(self.file) if not self._comes_again(entry, state)]
            write_json_lines(self.file, kept)

    def _comes_again(self, entry: dict[str, Any], state: TrainerState) -> bool:
        mine = all(entry.get(key) == value for key, value in self.facts.items())
        is_summary = entry.keys() <= {"step", *_OF_A_SUMMARY, *self.facts}
        return mine and (entry["step"] > state.global_step or is_summary)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        if not state.is_world_process_zero or logs is None:
            return
        if SUMMARY in logs:
            entry = {name: logs[name] for name in _OF_A_SUMMARY if name in logs}
        else:
            entry = {name: value for name, value in logs.items() if name != "epoch"}
        if entry:
            self.append({"step": state.global_step, **entry})

    def append(self, entry: dict[str, Any]) -> None:
        """Add one line."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**entry, **self.facts}, ensure_ascii=False) + "\n")
