"""What many tests start from: a tiny recipe, all of it run once, and the command line in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.command_line import Groundup, run_groundup, run_interpreter
from tests.small_recipe import write_data, write_recipe

if "PYTEST_XDIST_WORKER" in os.environ:  # beside others, one for each core; read when torch is first imported
    os.environ["OMP_NUM_THREADS"] = "1"
# As the command line does in a process of its own; read when transformers is first imported.
os.environ |= {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="session")
def groundup() -> Groundup:
    """The command line in a process of its own."""
    return run_groundup


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of the tiny data."""
    directory = tmp_path_factory.mktemp("data")
    write_data(directory)
    return directory


@pytest.fixture(scope="session")
def tiny(data: Path) -> Path:
    """Path of the tiny recipe."""
    return write_recipe(data)


@pytest.fixture(scope="session")
def whole_run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs directory in which everything that the tiny recipe declares was run once."""
    runs = tmp_path_factory.mktemp("runs")
    done = run_interpreter("run", "--recipe", tiny, "--runs", runs)
    assert done.returncode == 0, done.stdout + done.stderr
    return runs
