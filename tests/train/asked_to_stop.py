"""A training of which one process is asked to stop in the midst of a step; as a program, in two processes."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from pipeline.errors import CutOff
from pipeline.processes import rank
from pipeline.train.faults.resuming import train_or_resume
from tests.train.watched import watched_trainer

STEP = 3


class Asks(TrainerCallback):
    """Sends this process a signal as step 3 begins."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: object) -> None:
        if state.global_step == STEP - 1:
            os.kill(os.getpid(), self.number)


def main(directory: Path) -> None:
    """Ask the last process; the exit code is that of the command line."""
    asks = [Asks(signal.SIGUSR1)] if rank() == 1 else []
    try:
        train_or_resume(watched_trainer(directory, callbacks=asks), directory / "checkpoints")
    except CutOff as cut:
        print("step", max(int(path.name.rpartition("-")[2]) for path in directory.glob("checkpoints/*-*")))
        sys.exit(cut.exit_code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
