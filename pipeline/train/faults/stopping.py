"""Stopping at the end of a step when asked to, with all saved."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pipeline.errors import CutOff, Interrupted
from pipeline.processes import is_main, over_processes

_ASKING = signal.SIGINT, signal.SIGTERM, signal.SIGUSR1


class StopWhenAsked(TrainerCallback):
    """On Ctrl-C, SIGTERM or SIGUSR1: finish the step, save, stop. A second Ctrl-C stops at once.

    Of several processes all stop at the same step, whichever was asked.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        """The signal."""
        self._agreed = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen while the block runs.

        Raises:
            Interrupted: at the end of a block that a person asked to stop, when all is saved.
            CutOff: the same, when it was a scheduler or the system.
        """
        before = {number: signal.signal(number, self._ask) for number in _ASKING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._agreed:
            kind = Interrupted if self._agreed == signal.SIGINT else CutOff
            raise kind("stopped and saved; the same command goes on from here")

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.asked and is_main():  # print is not safe inside a signal handler
            os.write(2, b"\nstopping at the end of this step; Ctrl-C once more stops at once\n")
        self.asked = number

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> TrainerControl:
        self._agreed = int(over_processes(self.asked or 0, "max", args.device))
        if self._agreed:
            control.should_log = control.should_save = control.should_training_stop = True
        return control
