"""Whoever asks, a training stops at the end of the step with all saved, and says by its exit code who asked."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
import torch

from pipeline.errors import CutOff, Interrupted
from pipeline.train.faults.checkpoints import last_checkpoint
from pipeline.train.faults.resuming import train_or_resume
from tests.command_line import run_two_processes
from tests.train.asked_to_stop import STEP, Asks
from tests.train.watched import logged, watched_trainer


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75), (signal.SIGUSR1, 75)]
)
def test_it_stops_at_the_end_of_the_step_and_goes_on(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    ends = []
    trainer = watched_trainer(whole)
    train_or_resume(trainer, whole / "checkpoints")
    ends.append(list(trainer.model.parameters()))
    with pytest.raises(Interrupted) as asked:
        train_or_resume(watched_trainer(stopped, callbacks=[Asks(number)]), stopped / "checkpoints")
    assert asked.value.exit_code == code and isinstance(asked.value, CutOff) == (code == 75)
    assert last_checkpoint(stopped / "checkpoints") == stopped / "checkpoints" / f"checkpoint-{STEP}"
    trainer = watched_trainer(stopped)
    train_or_resume(trainer, stopped / "checkpoints")
    ends.append(list(trainer.model.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))
    assert [line["step"] for line in logged(stopped, "loss")] == [1, 2, 3, 4, 5, 6]


def test_where_one_process_is_asked_all_stop_at_the_same_step(tmp_path: Path) -> None:
    done = run_two_processes("tests.train.asked_to_stop", tmp_path)
    assert done.returncode != 0 and done.stdout.count(f"step {STEP}") == 2, done.stdout + done.stderr
    assert re.search(r"exitcode +: 75", done.stderr), done.stderr
    saved = {file.name for file in (tmp_path / "checkpoints" / f"checkpoint-{STEP}").iterdir()}
    assert {"rng_state_0.pth", "rng_state_1.pth", "checksums.json"} <= saved
