"""Two processes under Accelerate train what one process trains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.command_line import ROOT


def _launch(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    accelerate = Path(sys.executable).with_name("accelerate")
    config = ROOT / "recipes" / "launch" / "ddp_cpu.yaml"
    return subprocess.run(
        [
            accelerate,
            "launch",
            "--config_file",
            config,
            "--main_process_port",
            "0",
            "-m",
            "pipeline",
            *arguments,
        ],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )


def test_two_processes_reach_the_same_loss(tiny: Path, whole_run: Path, tmp_path: Path) -> None:
    done = _launch("pretrain", "--recipe", tiny, "--runs", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    one, two = (
        json.loads((runs / "tiny" / "pretrain" / "metrics.json").read_text())
        for runs in (whole_run, tmp_path)
    )
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
    done = _launch("finetune", "--task", "sentiment", "--recipe", tiny, "--runs", tmp_path, "--model", start)
    assert done.returncode == 0, done.stdout + done.stderr
    one, two = (
        json.loads((runs / "tiny" / "finetune" / "sentiment" / "metrics.json").read_text())
        for runs in (whole_run, tmp_path)
    )
    assert one["model"].keys() == two["model"].keys() and one["model"]["examples"] == two["model"]["examples"]
    assert abs(one["model"]["accuracy"] - two["model"]["accuracy"]) <= 1 / one["model"]["examples"]
    assert done.stdout.count("finetune/sentiment: finished") == 1


def test_an_error_in_the_first_process_ends_all(tiny: Path, tmp_path: Path) -> None:
    done = _launch(
        "pretrain", "--recipe", tiny, "--runs", tmp_path, "--corpus.sources", tmp_path / "nothing.txt"
    )
    assert done.returncode != 0
    assert "nothing.txt" in done.stderr
