"""When memory runs out, batches are halved and the training goes on: the same global batches, and the same losses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import TrainerCallback

from pipeline.errors import GroundupError
from pipeline.train.faults.halving import HalvingTrainer, parts_of
from pipeline.train.faults.resuming import train_or_resume
from tests.command_line import ROOT, run_two_processes
from tests.train.limited_training import (
    GLOBAL_BATCH,
    LENGTH,
    MEASURED,
    MICRO_BATCH,
    STEPS,
    Outcome,
    limited,
    outcome_file,
)
from tests.train.small_training import TRAININGS, large_batch_gradients, trained_gradients
from tests.train.test_accumulation import distance
from tests.train.watched import FailsAt, logged, watched_trainer

SAID = "memory ran out with"


def _room_forward(most: int) -> Callable[[nn.Module], object]:
    """Forward passes of more rows fail, as a GPU's do."""

    def check(_: nn.Module, __: Any, given: dict[str, Any]) -> None:
        if len(given["input_ids"]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    return lambda model: model.register_forward_pre_hook(check, with_kwargs=True)


def _room_backward(most: int) -> Callable[[nn.Module], object]:
    """Backward passes of more rows fail at the first layer, when the others have their gradient."""

    def fail(gradient: torch.Tensor) -> None:
        if len(gradient) > most:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"
            )

    def watch(_: nn.Module, __: Any, output: torch.Tensor) -> None:
        if output.requires_grad:
            output.register_hook(fail)

    return lambda model: model.get_input_embeddings().register_forward_hook(watch)


class NoRoomToStep(TrainerCallback):
    """Memory runs out where the optimiser makes its state."""

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def _outcome(directory: Path, process: int) -> Outcome:
    return Outcome(**json.loads(outcome_file(directory, process).read_text()))


def test_where_the_real_allocator_fails_it_goes_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.train.limited_training", tmp_path / "limited", "150000000"],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    found, whole = _outcome(tmp_path / "limited", 0), limited(tmp_path / "whole")
    halved = int(said[0].rpartition(" ")[2])
    assert said[0] == f"pretrain: {SAID} {MICRO_BATCH} rows at a time; it goes on with {MICRO_BATCH // 2}"
    assert len(said) == len(set(said)), said
    assert whole.rows == [MICRO_BATCH] * (STEPS * GLOBAL_BATCH // MICRO_BATCH)
    assert max(found.rows[2:]) <= halved < MICRO_BATCH
    assert found.tokens == whole.tokens == STEPS * GLOBAL_BATCH * LENGTH
    assert found.losses == pytest.approx(whole.losses, abs=1e-5)
    assert sum(found.held_out_rows) == sum(whole.held_out_rows) == MEASURED
    assert max(found.held_out_rows) < max(whole.held_out_rows)
    assert found.held_out == pytest.approx(whole.held_out, abs=1e-5)


def test_of_two_processes_the_one_that_runs_out_ends_the_run_and_the_same_command_goes_on(
    tmp_path: Path,
) -> None:
    whole, ended = limited(tmp_path / "whole"), 0
    while (
        done := run_two_processes("tests.train.limited_training", tmp_path / "two", "80000000")
    ).returncode:
        ended += 1
        assert "memory ran out in one of 2 processes; the same command goes on from the last" in done.stderr
        assert re.search(r"exitcode +: 75", done.stderr) and ended < 4, done.stderr
        assert json.loads((tmp_path / "two" / "checkpoints" / "parts.json").read_text()) == {
            "parts": 2**ended
        }
    assert ended and f"micro-batches go in {2**ended} parts, as memory ran out before" in done.stdout
    found = [_outcome(tmp_path / "two", process) for process in range(2)]
    assert all(max(one.rows) <= MICRO_BATCH // 2**ended for one in found)
    assert found[0].losses == pytest.approx(whole.losses, abs=1e-5)
    assert found[0].tokens == whole.tokens and found[0].held_out == pytest.approx(whole.held_out, abs=1e-5)


@pytest.mark.parametrize("room", [_room_forward, _room_backward])
@pytest.mark.parametrize(("stage", "head"), TRAININGS)
def test_the_gradient_stays_that_of_the_large_batch(
    stage: str, head: str, room: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found = trained_gradients(stage, head, count=11, micro_batch=4, change=room(1))
    assert len(found) == 3 and distance(found, large_batch_gradients(head, 11)) < 1e-6
    assert capsys.readouterr().out.count(SAID) == 2  # four rows, then two


def _train(directory: Path, most: int, *others: FailsAt) -> HalvingTrainer:
    parts = parts_of("pretrain", directory / "checkpoints")
    trainer = watched_trainer(directory, parts=parts, callbacks=others)
    _room_forward(most)(trainer.model)
    train_or_resume(trainer, directory / "checkpoints")
    return trainer


def test_whoever_goes_on_does_not_try_the_full_size_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = _train(tmp_path / "whole", 2)
    with pytest.raises(RuntimeError, match="the machine is gone"):
        _train(tmp_path / "halved", 1, FailsAt(4))
    assert capsys.readouterr().out.count(SAID) == 1
    halved = _train(tmp_path / "halved", 1)
    told = capsys.readouterr().out
    assert SAID not in told and told.count("micro-batches go in 2 parts, as memory ran out before") == 1
    lines, wanted = (
        [(line["step"], line["tokens"]) for line in logged(tmp_path / run, "loss")]
        for run in ("halved", "whole")
    )
    assert lines == wanted
    losses, others = (
        [line["loss"] for line in logged(tmp_path / run, "loss")] for run in ("halved", "whole")
    )
    assert losses == pytest.approx(others, abs=1e-3)  # Muon may compute in bfloat16
    assert halved.state.global_step == whole.state.global_step == 6


def test_one_row_that_does_not_fit_ends_with_what_helps(tmp_path: Path) -> None:
    with pytest.raises(GroundupError, match=r"pretrain: memory ran out with one row at a time; use shorter"):
        _train(tmp_path, 0)


def test_what_cannot_be_halved_ends_with_what_helps(tmp_path: Path) -> None:
    trainer = watched_trainer(tmp_path, callbacks=[NoRoomToStep()])
    with pytest.raises(GroundupError, match=r"training: memory ran out \(CUDA out of memory"):
        train_or_resume(trainer, tmp_path / "checkpoints")
