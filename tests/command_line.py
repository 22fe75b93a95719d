"""The command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.forked import ROOT, forked


def run_groundup(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, and, with variables for it, in an interpreter of its own."""
    if environment:  # libraries read some as they are imported
        return run_interpreter(*arguments, **environment)
    with tempfile.TemporaryDirectory() as said:
        return forked(Path(said), "pipeline", *arguments).ended()


def run_interpreter(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in an interpreter that imports all it needs, as a person starts it."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )


Groundup = Callable[..., subprocess.CompletedProcess[str]]


def two_processes(module: str, *arguments: str | Path) -> list[str | Path]:
    """The command that starts a module in two processes under Accelerate."""
    accelerate = Path(sys.executable).with_name("accelerate")
    config = ROOT / "recipes" / "launch" / "ddp_cpu.yaml"
    return [
        accelerate,
        "launch",
        "--config_file",
        config,
        "--main_process_port",
        "0",
        "-m",
        module,
        *arguments,
    ]


def run_two_processes(module: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A module in two processes under Accelerate's launcher, each an interpreter of its own."""
    return subprocess.run(
        two_processes(module, *arguments),
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
