"""What is told of a training: true, of every step once, to all that watch, whatever interruptions there were."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from pipeline.recipe import Pretrain
from pipeline.train.faults.checkpoints import last_checkpoint
from pipeline.train.faults.resuming import train_or_resume
from pipeline.train.watching.bar import Bar
from pipeline.train.watching.log import Log
from pipeline.train.watching.samples import Samples
from tests.command_line import ROOT
from tests.train.watched import (
    BATCH,
    FLOPS,
    LENGTH,
    PEAK,
    FailsAt,
    Tokens,
    letters,
    logged,
    train_with_everything,
    watched_trainer,
)


def test_a_line_says_what_a_step_did(tmp_path: Path) -> None:
    watched_trainer(tmp_path).train()
    lines = logged(tmp_path, "loss")
    of_a_step = BATCH * LENGTH * 3 // 4
    assert [line["tokens"] for line in lines] == [of_a_step * step for step in range(1, 7)]
    for line in lines:
        assert line["mfu"] == pytest.approx(line["tokens_per_second"] * FLOPS / PEAK)
        assert line["grad_norm"] > 0 and 0 <= line["data_wait"] < 1 and 0.05 < line["memory_gb"] < 50
    seconds = [line["seconds"] for line in lines]
    taken = [of_a_step / line["tokens_per_second"] for line in lines]
    assert seconds == pytest.approx([sum(taken[: step + 1]) for step in range(6)])
    for step, line in enumerate(lines):  # the rate that the step was taken with, of each optimiser
        falls = 1 - step / 6
        assert line["learning_rate"] == pytest.approx(Pretrain().learning_rate * falls)
        assert line["learning_rate_muon"] == pytest.approx(Pretrain().muon_learning_rate * falls)


def test_what_is_known_once_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watched_trainer(tmp_path, callbacks=[Bar("tiny")]).train()
    first, _, third, *others = logged(tmp_path, "loss")
    assert first["flops_per_token"] == FLOPS and first["peak_flops_per_second"] == PEAK
    assert first["startup_seconds"] > first["seconds"] and third["compile_seconds"] >= 0
    assert not any({"startup_seconds", "compile_seconds"} & line.keys() for line in others)
    said = capsys.readouterr().out
    assert f"first step after {first['startup_seconds']:.1f} s, of which warming up" in said


def test_waiting_for_data_is_seen(tmp_path: Path) -> None:
    watched_trainer(tmp_path, steps=3, train=Tokens(3 * BATCH, seconds=0.1)).train()
    assert all(line["data_wait"] > 0.5 for line in logged(tmp_path, "loss")[:-1])


class _SlowToSave(TrainerCallback):
    def on_save(self, args: Any, state: Any, control: Any, **_: object) -> None:
        time.sleep(0.2)


def test_measuring_and_saving_are_no_training(tmp_path: Path) -> None:
    trainer = watched_trainer(tmp_path, steps=4, held_out=Tokens(8, seconds=0.05), callbacks=[_SlowToSave()])
    began = time.monotonic()
    trainer.train()
    slept = 2 * 8 * 0.05 + 2 * 0.2
    assert time.monotonic() - began > slept
    assert logged(tmp_path, "loss")[-1]["seconds"] < time.monotonic() - began - slept
    assert trainer.meter.speed()["seconds"] == logged(tmp_path, "loss")[-1]["seconds"]


def test_after_an_interruption_every_step_is_there_once(tmp_path: Path) -> None:
    def train(directory: Path, *others: TrainerCallback) -> None:
        samples = Samples(("abc", "b"), letters(), Log(directory / "log.jsonl", {}), new_tokens=3)
        trainer = watched_trainer(directory, held_out=Tokens(4), callbacks=[samples, *others])
        train_or_resume(trainer, directory / "checkpoints")

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(whole)
    for step in (4, 6):  # each time beyond the last checkpoint
        with pytest.raises(RuntimeError, match="the machine is gone"):
            train(broken, FailsAt(step))
    train(broken)
    train(broken)  # killed when all was done but the stage not yet finished
    for field in ("loss", "eval_loss", "samples", "tokens", "grad_norm"):
        one, other = ([(e["step"], e[field]) for e in logged(run, field)] for run in (whole, broken))
        assert one == other
    seconds = [entry["seconds"] for entry in logged(broken, "seconds")]
    assert seconds == sorted(seconds)


def test_two_processes_tell_what_one_does(tmp_path: Path) -> None:
    train_with_everything(tmp_path / "one")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, "-m", "tests.train.watched", tmp_path / "two"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for field in ("tokens", "learning_rate_muon", "samples", "loss", "grad_norm", "eval_loss"):
        one, two = ([(e["step"], e[field]) for e in logged(tmp_path / run, field)] for run in ("one", "two"))
        assert [step for step, _ in one] == [step for step, _ in two]
        assert field == "samples" or [v for _, v in one] == pytest.approx([v for _, v in two], rel=1e-3)
    assert logged(tmp_path / "two", "co2_grams")[-1]["co2_grams"] > 0
    assert len(list((tmp_path / "two").glob("energy-*.json"))) == 1  # one process of the machine measures it


def test_a_checkpoint_between_two_lines_has_a_line_of_its_own(tmp_path: Path) -> None:
    trainer = watched_trainer(tmp_path, steps=5)
    trainer.args.logging_steps = 4
    train_or_resume(trainer, tmp_path / "checkpoints")
    assert [line["step"] for line in logged(tmp_path, "loss")] == [2, 4, 5]
    assert last_checkpoint(tmp_path / "checkpoints") == tmp_path / "checkpoints" / "checkpoint-5"


def test_a_loss_that_is_no_number_is_told(tmp_path: Path) -> None:
    trainer = watched_trainer(tmp_path, steps=2, logging_nan_inf_filter=False)
    trainer.model.get_input_embeddings().weight.data.fill_(float("inf"))
    trainer.train()
    assert all(line["loss"] != line["loss"] for line in logged(tmp_path, "loss"))
