"""A process among several that takes no step: noticed after a stated time, named, with the place where it is."""

from __future__ import annotations

import faulthandler
import os
import re
import sys
import time
from pathlib import Path
from threading import Event, Thread
from typing import TextIO

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pipeline.errors import CutOff
from pipeline.processes import rank, world_size

STACKS = "hung"
_LONGEST_GRACE = 10.0
"""Seconds from one's own stack to a look at those of the others."""
_WAITS = re.compile(r"torch/(distributed|autograd|nn/parallel)/|accelerate/(state|utils/operations)\.py")
"""Where a process is that waits for the others: gradients are exchanged within the backward pass."""
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>.+)')


class NoticeHanging(TrainerCallback):
    """Ends a training of several processes when no step is taken for so long, and says which process hangs and where.

    The stack of each is written by a thread of faulthandler that needs nothing of the interpreter, so also where a
    library never returns; a process that was stopped, or is gone, writes none. Without this the others would wait for
    it in silence for a day, which is how long they wait while a corpus is made.

    Args:
        seconds: without a sign of progress; 0 waits for ever.
        place: directory for the stacks.
    """

    def __init__(self, seconds: float, place: Path) -> None:
        self.seconds, self.place = seconds, place
        self.last, self.over = time.monotonic(), Event()
        self.watches = seconds > 0 and world_size() > 1
        self.file: TextIO | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if self.watches:
            self.place.mkdir(parents=True, exist_ok=True)
            self.file = stack_file(self.place, rank()).open("w")
            self.on_step_begin()
            Thread(target=self._watch, daemon=True).start()

    def on_step_begin(self, *_: object, **__: object) -> None:
        if self.file is not None:
            self.last = time.monotonic()
            faulthandler.dump_traceback_later(self.seconds, file=self.file)

    on_substep_end = on_step_end = on_prediction_step = on_save = on_evaluate = on_step_begin

    def close(self) -> None:
        """Watch no longer, however the training ended."""
        self.over.set()
        if self.file is not None:
            faulthandler.cancel_dump_traceback_later()
            self.file.close()

    def _watch(self) -> None:
        """Until the end, or until there is something to say; then all processes go, by the launcher."""
        grace = min(_LONGEST_GRACE, self.seconds)
        while time.monotonic() - self.last < self.seconds + grace:
            if self.over.wait(grace / 4):
                return
        stacks = [stack_file(self.place, number) for number in range(world_size())]
        waiting = [number for number, file in enumerate(stacks) if _WAITS.search(_innermost(file))]
        # The main thread is in a wait that no exception reaches, as torch's own watchdog of NCCL has it.
        if rank() == min(waiting, default=0):
            print(f"groundup: {self._told(stacks, waiting)}", file=sys.stderr, flush=True)
            os._exit(CutOff.exit_code)

    def _told(self, stacks: list[Path], waiting: list[int]) -> str:
        hanging = [number for number in range(len(stacks)) if number not in waiting]
        named = ", ".join(f"process {number} of {len(stacks)} {_where(stacks[number])}" for number in hanging)
        return (
            f"no step was taken for {self.seconds:g} s: "
            f"{named or 'all processes wait for each other'}; look at the stacks in {self.place}, the same command "
            "goes on from the last checkpoint (--watch.hung-after sets the time)"
        )


def stack_file(place: Path, number: int) -> Path:
    """Where the stacks of a process are."""
    return place / f"process-{number}.txt"


def _innermost(file: Path) -> str:
    """The line of the innermost frame of the main thread, which is the last one written; empty where there is none."""
    text = file.read_text() if file.is_file() else ""
    *_, main = text.split("(most recent call first):\n")
    return main.partition("\n")[0] if "most recent call first" in text else ""


def _where(file: Path) -> str:
    frame = _FRAME.search(_innermost(file))
    if frame is None:
        return "gives no sign of life"
    return f"hangs in {frame['function']} ({frame['file']}, line {frame['line']})"
