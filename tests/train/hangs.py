"""A training of which one process takes no further step; as a program, in two processes."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from pipeline.processes import rank
from pipeline.train.faults.resuming import train_or_resume
from tests.train.watched import watched_trainer

STEP = 3


class Hangs(TrainerCallback):
    """Sleeps as step 3 begins, or stops the process."""

    def __init__(self, how: str) -> None:
        self.how = how

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: object) -> None:
        if state.global_step == STEP - 1:
            self.sleep_for_ever()

    def sleep_for_ever(self) -> None:
        """As a disk that never answers."""
        if self.how == "stops":
            os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(600)


def main(directory: Path, how: str) -> None:
    """Hang in the last process."""
    callbacks = [Hangs(how)] if rank() == 1 else []
    trainer = watched_trainer(directory, callbacks=callbacks)
    train_or_resume(trainer, directory / "checkpoints", hung_after=4.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
