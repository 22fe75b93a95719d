"""The data of a task, read in a process of its own for the plan."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import GroundupError
from pipeline.recipe import Finetune
from pipeline.tasks import task_named
from pipeline.train.data.examples import read_examples
from pipeline.train.data.reading import Reading, read_apart
from tests.command_line import ROOT

LENGTH = 20_000
_READ = """
import dataclasses, json, sys
from pipeline.recipe import Finetune
from pipeline.train.data.reading import read_apart
print(json.dumps(dataclasses.asdict(read_apart("sentiment", Finetune(data=sys.argv[1]), 0.1, 0))))
"""


def _reviews(file: Path, count: int, bad: int = -1) -> Finetune:
    """Settings with so many reviews of 20,000 characters each, one of which may have no label."""
    with file.open("w") as lines:
        for number in range(count):
            row = {"text": f"{number} ".ljust(LENGTH, "x"), "label": "ab"[number % 2]}
            if number == bad:
                del row["label"]
            lines.write(json.dumps(row) + "\n")
    return Finetune(data=str(file))


def test_it_tells_how_many_there_are_and_what_they_take(tmp_path: Path) -> None:
    settings = _reviews(tmp_path / "reviews.jsonl", 2000)
    # in an interpreter of its own: one that has freed much before would fill that again
    told = subprocess.run(
        [sys.executable, "-c", _READ, settings.data], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = Reading(**json.loads(told.stdout))
    assert found.examples == len(read_examples(task_named("sentiment", settings), 0.1, 0).train)
    assert 0.9 < found.held / (2000 * LENGTH) < 3


def test_the_last_row_is_read_too(tmp_path: Path) -> None:
    settings = _reviews(tmp_path / "reviews.jsonl", 500, bad=499)
    with pytest.raises(GroundupError, match=r"reviews\.jsonl line 500: there is no column 'label'"):
        read_apart("sentiment", settings, 0.1, 0)


def test_a_process_that_is_killed_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.train.data.reading.read_examples", lambda *_: os._exit(137))
    with pytest.raises(GroundupError, match="task 'sentiment': the process that read its data was killed"):
        read_apart("sentiment", _reviews(tmp_path / "reviews.jsonl", 10), 0.1, 0)
