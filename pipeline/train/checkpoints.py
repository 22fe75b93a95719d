"""Going on where a run was cut off, and stopping at the end of a step when asked to."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from pipeline.errors import Interrupted
from pipeline.processes import is_main


class StoppedEarly(Exception):  # noqa: N818 - stopping is no error
    """A callback ended a training before its last step; there is no finished model."""


def train_or_resume(trainer: Trainer, checkpoints: Path) -> None:
    """Train to the end, from the newest whole checkpoint where there is one.

    Raises:
        Interrupted: when asked to stop; all is saved then.
        StoppedEarly: when a callback stopped it, for whoever gave the callback.
    """
    stop = StopWhenAsked()
    trainer.add_callback(stop)
    trainer.add_callback(SaveAverage())  # last, when every other has said whether to save
    trainer.remove_callback(PrinterCallback)  # our own bar and log say it
    checkpoint = last_checkpoint(checkpoints)
    with stop.listening():
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.state.global_step < trainer.args.max_steps:
        raise StoppedEarly


def resumes_at(checkpoints: Path) -> int:
    """The step that training will go on from; 0 where it begins."""
    checkpoint = last_checkpoint(checkpoints)
    return _step(checkpoint) if checkpoint else 0


def last_checkpoint(directory: Path) -> Path | None:
    """The newest whole checkpoint, or None; the Trainer writes its state last, so a torn one has none."""
    found = sorted(directory.glob("checkpoint-*"), key=_step, reverse=True)
    return next((path for path in found if _is_whole(path)), None)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / "trainer_state.json").read_text())
    except (OSError, ValueError):
        return False
    return True


class SaveAverage(TrainerCallback):
    """Saves the averaged weights of a schedule-free optimiser; of any other, the weights as they are.

    The Trainer itself switches to the average to evaluate, and back before each step.
    """

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        optimizer: Any = None,
        **_: object,
    ) -> None:
        if control.should_save or control.should_training_stop:
            optimizer.eval()


class StopWhenAsked(TrainerCallback):
    """On Ctrl-C or SIGTERM: finish the step, save, stop. A second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen while the block runs.

        Raises:
            Interrupted: at the end of a block that was asked to stop, when all is saved.
        """
        before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self.asked:
            raise Interrupted("stopped and saved; the same command goes on from here")

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.asked and is_main():  # print is not safe inside a signal handler
            os.write(2, b"\nstopping at the end of this step; Ctrl-C once more stops at once\n")
        self.asked = True

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> TrainerControl:
        if self.asked:
            control.should_log = control.should_save = control.should_training_stop = True
        return control
