"""A run that is killed again and again ends with the bytes of one that nobody touched."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.soak import Survived, soak
from pipeline.artifacts import LOG
from pipeline.train.watching.log import read_log
from tests.command_line import ROOT, run_two_processes


def _long(tiny: Path, place: Path) -> Path:
    """The tiny recipe with more steps."""
    recipe = place / "long.py"
    text = tiny.read_text().replace("steps=4", "steps=12, checkpoint_every=3")
    recipe.write_text(text.replace("steps=6", "steps=40"))
    return recipe


def test_kills_at_any_moment_change_nothing(tiny: Path, tmp_path: Path) -> None:
    recipe = _long(tiny, tmp_path)
    survived = soak(["run", "--recipe", str(recipe)], kills=8, place=tmp_path, longest=6.0)
    assert survived.kills >= 8 and survived.files >= 9
    assert survived.different_files == () and survived.different_lines == ()


def test_the_comparison_sees_one_byte_and_one_line(tmp_path: Path) -> None:
    from benchmarks.soak import _compare

    for name in ("whole", "broken"):
        place = tmp_path / name / "tiny" / "pretrain"
        place.mkdir(parents=True)
        (place / "model.safetensors").write_bytes(b"weights")
        (place / LOG).write_text('{"step": 1, "loss": 2.0}\n')
    survived = Survived()
    _compare(tmp_path / "whole", tmp_path / "broken", survived)
    assert survived.files == 1 and not survived.different_files and not survived.different_lines
    (place / "model.safetensors").write_bytes(b"weightz")
    (place / LOG).write_text('{"step": 1, "loss": 2.0}\n' * 2)
    _compare(tmp_path / "whole", tmp_path / "broken", survived)
    assert survived.different_files == ("tiny/pretrain/model.safetensors",)
    assert survived.different_lines == ("tiny/pretrain/log.jsonl  1 loss 2.0",)


def _copied(whole_run: Path, runs: Path) -> Path:
    """The finished corpus and tokenizer, and nothing trained."""
    shutil.copytree(
        whole_run / "tiny", runs / "tiny", ignore=shutil.ignore_patterns("pretrain", "finetune", "report")
    )
    return runs / "tiny" / "pretrain"


def _killed_after(steps: int, arguments: list[str], log: Path) -> None:
    """Start a command in two processes and kill all when the log has so many steps."""
    launch = ROOT / "recipes" / "launch" / "ddp_cpu.yaml"
    job = subprocess.Popen(
        [Path(sys.executable).with_name("accelerate"), "launch", "--config_file", launch,
         "--main_process_port", "0", "-m", "pipeline", *arguments],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while job.poll() is None and len([e for e in read_log(log) if "loss" in e]) < steps:
        time.sleep(0.01)
    assert job.poll() is None, "it ended before it could be killed"
    for process in _below(job.pid):
        os.kill(process, signal.SIGKILL)
    job.wait()


def _below(process: int) -> list[int]:
    """A process and all that it has started, directly or not."""
    import psutil

    return [process, *(child.pid for child in psutil.Process(process).children(recursive=True))]


def test_two_processes_that_are_killed_end_with_the_same_bytes(
    tiny: Path, whole_run: Path, tmp_path: Path
) -> None:
    recipe, ends = _long(tiny, tmp_path), []
    for name in ("whole", "killed"):
        out = _copied(whole_run, tmp_path / name)
        arguments = ["pretrain", "--recipe", str(recipe), "--runs", str(tmp_path / name)]
        if name == "killed":
            _killed_after(random.Random(0).randint(5, 30), arguments, out / LOG)
        done = run_two_processes("pipeline", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        ends.append((out / "model.safetensors").read_bytes())
    assert ends[0] == ends[1]
    assert [e["step"] for e in read_log(out / LOG) if "loss" in e] == list(range(1, 41))


def test_another_number_of_processes_goes_on_with_the_same_batches(
    tiny: Path, whole_run: Path, tmp_path: Path
) -> None:
    recipe = _long(tiny, tmp_path)
    whole = _copied(whole_run, tmp_path / "whole")
    done = run_two_processes("pipeline", "pretrain", "--recipe", recipe, "--runs", tmp_path / "whole")
    assert done.returncode == 0, done.stdout + done.stderr
    broken = _copied(whole_run, tmp_path / "broken")
    arguments = ["pretrain", "--recipe", str(recipe), "--runs", str(tmp_path / "broken")]
    _killed_after(15, arguments, broken / LOG)
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "processes are 1, and were 2: global batches stay" in done.stdout
    losses = [[e["loss"] for e in read_log(out / LOG) if "loss" in e] for out in (whole, broken)]
    # Rounding grows over the steps; another batch at a step would be tens of times farther off.
    assert len(losses[0]) == 40 and losses[0] == pytest.approx(losses[1], abs=5e-3)
    assert losses[0][20:] != pytest.approx(losses[1][19:-1], abs=5e-2)
