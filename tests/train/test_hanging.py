"""Of several processes the one that hangs is named, with the place where it is, and none waits for it for ever."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from pipeline.train.faults.hanging import STACKS
from tests.command_line import ROOT, two_processes

SAID = "groundup: no step was taken for 4 s: process 1 of 2 "
HANGS = {"sleeps": r"hangs in sleep_for_ever \(\S+hangs\.py, line \d+\)", "stops": "gives no sign of life"}


@pytest.mark.parametrize("how", HANGS)
def test_the_process_that_hangs_is_named(how: str, tmp_path: Path) -> None:
    said = tmp_path / "said.txt"
    with said.open("w") as file:
        job = subprocess.Popen(
            two_processes("tests.train.hangs", tmp_path, how),
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=file,
        )
        while job.poll() is None and SAID not in said.read_text():
            time.sleep(0.1)
        for process in psutil.Process(
            job.pid
        ).children():  # the launcher itself would wait half a minute more
            process.kill()
        assert job.wait(60) != 0
    assert re.search(rf"{SAID}{HANGS[how]}; look at the stacks in {tmp_path}", said.read_text())
    assert said.read_text().count("groundup:") == 1 and re.search(r"exitcode +: 75", said.read_text())
    assert (
        "torch/nn/parallel/distributed.py"
        in (tmp_path / "checkpoints" / STACKS / "process-0.txt").read_text()
    )
