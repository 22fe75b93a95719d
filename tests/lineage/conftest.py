"""The tiny recipe with rungs, all of it trained once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests.command_line import Groundup


@dataclass(frozen=True)
class Climbed:
    """A run whose rungs are all finished."""

    path: Path
    said: str
    """By the command that trained them."""


@pytest.fixture(scope="session")
def lineage(data: Path) -> Path:
    """Path of the tiny recipe with rungs."""
    return data / "rungs.py"


@pytest.fixture(scope="session")
def prepared(whole_run: Path) -> Callable[[Path], Path]:
    """Makes a runs directory with the stages before pre-training."""

    def prepare(runs: Path) -> Path:
        without = shutil.ignore_patterns("pretrain", "finetune", "report", "rungs", "lineage")
        shutil.copytree(whole_run / "tiny", runs / "tiny", ignore=without)
        return runs

    return prepare


@pytest.fixture(scope="session")
def climbed(lineage: Path, prepared: Callable[[Path], Path], shared: Path, groundup: Groundup) -> Climbed:
    """A run with all rungs, one for all workers."""
    runs, said = shared / "climbed", shared / "climbed.txt"
    with FileLock(shared / "climbed.lock"):
        if not said.exists():
            done = groundup("lineage", "--recipe", lineage, "--runs", prepared(runs))
            assert done.returncode == 0, done.stdout + done.stderr
            said.write_text(done.stdout, "utf-8")
    return Climbed(runs / "tiny", said.read_text("utf-8"))
