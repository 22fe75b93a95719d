"""Training to the end, from wherever a run was cut off."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from pipeline.artifacts import sync, written
from pipeline.errors import GroundupError, first_line
from pipeline.model.out_of_memory import ran_out
from pipeline.processes import on_main
from pipeline.train.faults.checkpoints import KeepCheckpoints, last_checkpoint
from pipeline.train.faults.halving import REMEDY
from pipeline.train.faults.hanging import STACKS, NoticeHanging
from pipeline.train.faults.stopping import StopWhenAsked


class StoppedEarly(Exception):  # noqa: N818 - stopping is no error
    """A callback ended a training before its last step; there is no finished model."""


def train_or_resume(trainer: Trainer, checkpoints: Path, hung_after: float = 0.0) -> None:
    """Train to the end, from the newest whole checkpoint where there is one.

    Args:
        trainer: before its first step.
        checkpoints: their directory.
        hung_after: see ``NoticeHanging``.

    Raises:
        Interrupted, CutOff: when asked to stop; all is saved then.
        StoppedEarly: when a callback stopped it, for whoever gave the callback.
        GroundupError: when a checkpoint cannot be written, those before it stay; or when memory runs out where
            nothing can be halved.
    """
    stop, keep = StopWhenAsked(), KeepCheckpoints(checkpoints, trainer.args)
    hanging = NoticeHanging(hung_after, checkpoints / STACKS)
    trainer.add_callback(hanging)
    trainer.add_callback(stop)
    trainer.add_callback(SaveAverage())  # when every other has said whether to save
    trainer.add_callback(keep)
    trainer.remove_callback(PrinterCallback)  # our own bar and log say it
    checkpoint = last_checkpoint(checkpoints)
    with (
        closing(hanging),
        _told_of_memory(),
        written(checkpoints),
        stop.listening(),
        keep.working(),
    ):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.state.global_step < trainer.args.max_steps:
        raise StoppedEarly


@contextmanager
def _told_of_memory() -> Iterator[None]:
    """Memory that ran out, in place of a traceback."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        raise GroundupError("training", f"memory ran out ({first_line(error)})", REMEDY) from error


def save_trained(trainer: Trainer, place: Path) -> None:
    """Write the weights of a training that is through, beside, and rename: whole, also where processes share them.

    Raises:
        GroundupError: when they cannot be written.
    """
    beside = place.with_name(f".{place.name}")
    with written(place):
        trainer.save_model(str(beside))
        on_main(lambda: _take_place(beside, place))


def _take_place(beside: Path, place: Path) -> None:
    for file in beside.iterdir():
        sync(file)
    shutil.rmtree(place, ignore_errors=True)
    beside.rename(place)


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
