"""The data of a task, read in a process of its own for the plan."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoConfig

from pipeline.errors import GroundupError
from pipeline.model.families import model_config
from pipeline.model.special_tokens import TURNS
from pipeline.recipe import Finetune, Model, Tokenizer
from pipeline.tasks import task_named
from pipeline.tokenizer.train import train_tokenizer
from pipeline.train.data.examples import read_examples
from pipeline.train.data.reading import Reading, Start, read_all_apart, read_apart
from tests.command_line import ROOT
from tests.tasks.bases import publish

LENGTH = 20_000
_READ = """
import dataclasses, json, sys
from pipeline.model.families import model_config
from pipeline.recipe import Finetune, Model, Tokenizer
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


def _start(tmp_path: Path, **changed: str | None) -> Start:
    """A tokenizer learnt from a few words, with other special tokens than it would have."""
    tokenizer = train_tokenizer(["one two three"] * 50, Tokenizer(), 320, 64)
    for name, token in changed.items():
        setattr(tokenizer, name, token)
    tokenizer.save_pretrained(tmp_path / "start")
    return Start(str(tmp_path / "start"), model_config(Model(depth=1, width=64, context=64), 384), "a/model")


def _summaries(tmp_path: Path, max_tokens: int = 64) -> dict[str, Finetune]:
    rows = "".join(json.dumps({"text": f"one {n}", "label": f"two {n}"}) + "\n" for n in range(20))
    (tmp_path / "rows.jsonl").write_text(rows)
    return {
        "translation": Finetune(data=str(tmp_path / "rows.jsonl"), text_column="text", max_tokens=max_tokens)
    }


def test_lengths_and_new_tokens_are_told(tmp_path: Path) -> None:
    found = read_all_apart(_summaries(tmp_path), 0.1, 0, {"translation": _start(tmp_path)})["translation"]
    assert isinstance(found, Reading) and found.lengths is not None and found.new_tokens == ()
    assert found.lengths.drawn == found.examples and found.lengths.over == 0


def test_tokens_that_a_published_model_does_not_know_are_named(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"text": f"one {n}", "label": "two"}) + "\n" for n in range(20))
    (tmp_path / "talks.jsonl").write_text(rows)
    place = publish("gpt2", tmp_path)
    start = Start(str(place), AutoConfig.from_pretrained(place), "a/model")
    tasks = {"chat": Finetune(data=str(tmp_path / "talks.jsonl"))}
    found = read_all_apart(tasks, 0.1, 0, {"chat": start})["chat"]
    assert isinstance(found, Reading) and found.lengths is not None
    assert set(found.new_tokens) == set(TURNS)


@pytest.mark.parametrize(
    ("changed", "max_tokens", "words"),
    [
        ({"eos_token": None}, 64, "a/model: its tokenizer has no end of text"),
        ({}, 4, "task 'translation': no example that was tried fits into --max-tokens"),
    ],
)
def test_what_the_training_could_not_do_is_refused(
    tmp_path: Path, changed: dict[str, str | None], max_tokens: int, words: str
) -> None:
    tasks, start = _summaries(tmp_path, max_tokens), _start(tmp_path, **changed)
    found = read_all_apart(tasks, 0.1, 0, {"translation": start})["translation"]
    assert isinstance(found, GroundupError) and words in str(found)


def test_a_process_that_is_killed_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.train.data.reading.read_examples", lambda *_: os._exit(137))
    with pytest.raises(GroundupError, match="task 'sentiment': the process that read its data was killed"):
        read_apart("sentiment", _reviews(tmp_path / "reviews.jsonl", 10), 0.1, 0)
