"""What many tests start from: a tiny recipe, all of it run once, and the command line in a process of its own."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tests.browser import chromium
from tests.command_line import Groundup, run_groundup, run_interpreter
from tests.small_recipe import write_data, write_lineage, write_recipe

if TYPE_CHECKING:
    from playwright.sync_api import Browser

if "PYTEST_XDIST_WORKER" in os.environ:  # beside others, one for each core; read when torch is first imported
    os.environ["OMP_NUM_THREADS"] = "1"
# As the command line does in a process of its own; read when transformers is first imported.
os.environ |= {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="session", autouse=True)
def _absl_writes_to_stderr() -> None:
    """Not to what pytest captures with as absl is imported: whoever configures logging would close that with it."""
    from absl import logging

    logging.get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.fixture(scope="session")
def groundup() -> Groundup:
    """The command line in a process of its own."""
    return run_groundup


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of all workers of pytest-xdist together: what one makes there under a lock, the others take."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def data(shared: Path) -> Path:
    """Directory of the tiny data."""
    directory = shared / "data"
    with FileLock(shared / "data.lock"):
        if not directory.exists():
            write_data(directory)
            write_recipe(directory)
            write_lineage(directory)
    return directory


@pytest.fixture(scope="session")
def tiny(data: Path) -> Path:
    """Path of the tiny recipe."""
    return data / "tiny.py"


@pytest.fixture(scope="session")
def whole_run(tiny: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs directory, this worker's own, in which everything that the tiny recipe declares was run once."""
    once, runs = shared / "whole", tmp_path_factory.mktemp("runs")
    with FileLock(shared / "whole.lock"):
        if not once.exists():
            done = run_interpreter("run", "--recipe", tiny, "--runs", shared / "begun")
            assert done.returncode == 0, done.stdout + done.stderr
            (shared / "begun").rename(once)
    shutil.copytree(once, runs, dirs_exist_ok=True)
    return runs


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium, for ``tests.browser.visit``."""
    with chromium() as started:
        yield started
