"""Two processes under Accelerate train what one process trains."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.artifacts import LOG, MANIFEST, read_json, read_log
from tests.command_line import run_two_processes


def test_two_processes_reach_the_same_loss(tiny: Path, whole_run: Path, tmp_path: Path) -> None:
    done = run_two_processes("pipeline", "pretrain", "--recipe", tiny, "--runs", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    one, two = (
        json.loads((runs / "tiny" / "pretrain" / "metrics.json").read_text())
        for runs in (whole_run, tmp_path)
    )
    assert read_json(tmp_path / "tiny" / "pretrain" / MANIFEST)["processes"] == 2
    assert abs(one["model"]["loss"] - two["model"]["loss"]) < 1e-3
    logs = [
        [
            json.loads(line)["loss"]
            for line in (runs / "tiny" / "pretrain" / "log.jsonl").open()
            if '"loss"' in line
        ]
        for runs in (whole_run, tmp_path)
    ]
    assert len(logs[0]) == len(logs[1]) == 6
    assert max(abs(a - b) for a, b in zip(*logs, strict=True)) < 1e-3


def test_two_processes_fine_tune_and_measure(tiny: Path, whole_run: Path, tmp_path: Path) -> None:
    start = whole_run / "tiny" / "pretrain"
    done = run_two_processes(
        "pipeline", "finetune", "--task", "sentiment", "--recipe", tiny, "--runs", tmp_path, "--model", start
    )
    assert done.returncode == 0, done.stdout + done.stderr
    one, two = (
        json.loads((runs / "tiny" / "finetune" / "sentiment" / "metrics.json").read_text())
        for runs in (whole_run, tmp_path)
    )
    assert one["model"].keys() == two["model"].keys() and one["model"]["examples"] == two["model"]["examples"]
    losses = [
        [
            line["loss"]
            for line in read_log(runs / "tiny" / "finetune" / "sentiment" / LOG)
            if "loss" in line and line["run"] == "model"
        ]
        for runs in (whole_run, tmp_path)
    ]
    assert abs(one["model"]["accuracy"] - two["model"]["accuracy"]) <= 1 / one["model"]["examples"]
    assert len(losses[0]) == 4 and losses[0] == pytest.approx(losses[1], abs=1e-2)
    assert done.stdout.count("finetune/sentiment: finished") == 1


def test_an_error_in_the_first_process_ends_all(tiny: Path, tmp_path: Path) -> None:
    done = run_two_processes(
        "pipeline",
        "pretrain",
        "--recipe",
        tiny,
        "--runs",
        tmp_path,
        "--corpus.sources",
        tmp_path / "nothing.txt",
    )
    assert done.returncode != 0
    assert "nothing.txt" in done.stderr
