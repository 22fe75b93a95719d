"""The first ten minutes of both front pages: commands through ``make``, on a run that is finished, and their code."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.scripts.pages import ROOT, Command, codes, commands

FRONT = (ROOT / "README.md", ROOT / "README.zh.md")


def _first_commands(page: Path) -> list[Command]:
    """The targets that the page begins with."""
    return list(itertools.takewhile(lambda c: c.words[1] != "plan", commands(page)))[:3]


def test_both_pages_begin_with_the_same_commands() -> None:
    english, chinese = ([command.words for command in _first_commands(page)] for page in FRONT)
    assert english == chinese
    assert [words[1] for words in english] == ["pretrain", "finetune", "report"]


def test_the_first_commands_go_through_make(tiny: Path, whole_run: Path) -> None:
    """What ``make setup`` makes is taken as made: tests run where it is."""
    here = [
        "--old-file",
        ".venv/ready",
        f"BIN={Path(sys.executable).parent}",
        f"RECIPE={tiny}",
        f"RUNS={whole_run}",
    ]
    said = []
    for command in _first_commands(FRONT[0]):
        done = subprocess.run(
            [*command.words, *here],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert "pretrain: done before, nothing to do" in said[0] and "bits_per_byte" in said[0]
    assert "finetune/sentiment: done before" in said[1] and "accuracy" in said[1]
    assert str(whole_run / "tiny" / "report" / "index.html") in said[2]


@pytest.mark.parametrize("page", FRONT, ids=lambda page: page.name)
def test_code_runs_where_groundup_is_not_asked(page: Path, whole_run: Path, tmp_path: Path) -> None:
    model = tmp_path / "runs" / "quickstart" / "finetune" / "sentiment"
    shutil.copytree(whole_run / "tiny" / "finetune" / "sentiment", model)
    (code,) = [code.text for code in codes(page) if code.language == "python"]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "'label': 'positive'" in done.stdout or "'label': 'negative'" in done.stdout
