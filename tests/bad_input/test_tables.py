"""Each row of the tables: exit code 2, one sentence with the place and the remedy, and nothing taken for whole."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.cli import main
from tests.bad_input import raw_text, settings, task_data
from tests.bad_input.case import PROSE, REVIEWS, Case

Captured = pytest.CaptureFixture[str]


def _refused(arguments: Sequence[str], capsys: Captured) -> str:
    """What is said of a command that is refused, in one sentence with a remedy."""
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("groundup: ") and said.count("\n") == 1 and "Traceback" not in said
    assert ": " in said and "; " in said and len(said) < 800
    return said


def _nothing_is_whole(runs: Path) -> bool:
    return not any(json.loads(m.read_text())["complete"] for m in runs.rglob("manifest.json"))


def _written(case: Case, directory: Path) -> Path:
    file = directory / case.file
    file.write_bytes(case.content.encode() if isinstance(case.content, str) else case.content)
    return file


def _with(tiny: Path, *tasks: str) -> Path:
    """The tiny recipe with some of its tasks: the fewer settings, the sooner the command line is read."""
    file = tiny.with_name(f"tiny_{'_'.join(tasks)}.py")
    few = f"recipe = dataclasses.replace(recipe, tasks={{name: recipe.tasks[name] for name in {tasks}}})"
    file.write_text(f"import dataclasses\n{tiny.read_text()}\n{few}\n")
    return file


def _pretraining(tiny: Path, runs: Path, source: str) -> list[str]:
    quick = ["--executor.workers", "1", "--recipe", str(_with(tiny)), "--runs", str(runs)]
    return ["pretrain", *quick, "--data", source]


@pytest.mark.parametrize("case", raw_text.CASES, ids=lambda case: case.name)
def test_raw_text(case: Case, tiny: Path, tmp_path: Path, capsys: Captured) -> None:
    file = _written(case, tmp_path)
    arguments = _pretraining(tiny, tmp_path / "runs", str(file))
    said = _refused(arguments, capsys)
    assert str(file) in said and case.words in said
    assert _nothing_is_whole(tmp_path / "runs")
    assert _refused(arguments, capsys) == said


@pytest.mark.parametrize(("spec", "words"), raw_text.SPECS.items(), ids=range(len(raw_text.SPECS)))
def test_sources(spec: str, words: str, tiny: Path, tmp_path: Path, capsys: Captured) -> None:
    assert words in _refused(_pretraining(tiny, tmp_path / "runs", spec), capsys)
    assert _nothing_is_whole(tmp_path / "runs")


@pytest.mark.parametrize("case", task_data.CASES, ids=lambda case: f"{case.task}: {case.name}")
def test_task_data(case: Case, tiny: Path, tmp_path: Path, capsys: Captured) -> None:
    """They are refused before the pre-training that the task waits for."""
    file = _written(case, tmp_path)
    runs = ["--recipe", str(_with(tiny, case.task)), "--runs", str(tmp_path / "runs")]
    arguments = ["finetune", "--task", case.task, *runs, "--data", str(file), *case.more]
    said = _refused(arguments, capsys)
    assert str(file) in said and case.words in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("words", "said"), settings.WRONG.items(), ids=settings.WRONG)
def test_settings(words: str, said: str, tiny: Path, tmp_path: Path, capsys: Captured) -> None:
    runs = ["--recipe", str(_with(tiny, "sentiment")), "--runs", str(tmp_path / "runs")]
    assert said in _refused(["finetune", "--task", "sentiment", *runs, *words.split()], capsys)
    assert not (tmp_path / "runs").exists()


def test_places_that_hold_no_file(tiny: Path, tmp_path: Path, capsys: Captured) -> None:
    places = {
        name: tmp_path / name for name in ("none", "hidden", "empty", "loop.txt", "pipe.txt", "zero.txt")
    }
    for name in ("none", "hidden", "empty"):
        places[name].mkdir()
    (places["hidden"] / ".a.txt").write_text(PROSE)
    (places["empty"] / "a.txt").write_text("")
    places["loop.txt"].symlink_to(places["loop.txt"])
    os.mkfifo(places["pipe.txt"])
    places["zero.txt"].symlink_to("/dev/zero")
    for place in places.values():
        assert str(place) in _refused(_pretraining(tiny, tmp_path / "runs", str(place)), capsys)
    (tmp_path / os.fsdecode(b"\xff.txt")).write_text(PROSE)
    assert "U+DCFF" in _refused(_pretraining(tiny, tmp_path / "runs", str(tmp_path)), capsys)


@pytest.mark.parametrize("verb", ["pretrain", "plan", "report"])
def test_places_that_hold_no_runs(verb: str, tiny: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "file").write_text("no directory")
    places = {"file": "is no directory", "file/below": "is no directory", "a\0b": "that is zero"}
    for place, words in places.items():
        assert words in _refused([verb, "--recipe", str(tiny), "--runs", str(tmp_path / place)], capsys)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to this user")
def test_places_that_are_forbidden(tiny: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "secret.txt").write_text(PROSE)
    (tmp_path / "secret.txt").chmod(0)
    arguments = _pretraining(tiny, tmp_path / "runs", str(tmp_path / "secret.txt"))
    assert "Permission denied" in _refused(arguments, capsys)
    (tmp_path / "closed").mkdir(0o555)
    arguments = ["pretrain", "--recipe", str(tiny), "--runs", str(tmp_path / "closed")]
    assert "Permission denied" in _refused(arguments, capsys)


ODD = {
    "right-to-left": "\u202eשלום مرحبا {n}, {word}",
    "combining marks": "e" + "\u0301" * 50 + " {n} {word}",
    "emoji": "👩‍👩‍👧‍👦 {n} {word}",
    "longer than the model": "{word} {n} " + "word " * 2000,
    "special tokens": "<|endoftext|> {n} {word}",
}
"""Texts that are unusual and no mistake."""


def test_what_is_no_mistake_goes_through(
    tiny: Path, whole_run: Path, tmp_path: Path, capsys: Captured
) -> None:
    """Odd texts, a byte order mark, CRLF, blank lines and duplicates: all are read, and a model is trained on them."""
    rows = [
        f'"{text.format(n=n, word=word)}",{word}'
        for text in ODD.values()
        for n in range(8)
        for word in ("good", "bad")
    ]
    (tmp_path / "a.csv").write_bytes("\r\n".join(["\ufefftext,label", *rows, "", *rows[:9]]).encode())
    where = ["--recipe", str(tiny), "--runs", str(tmp_path / "runs"), "--data", str(tmp_path / "a.csv")]
    quick = ["--finetune.label-names", "--finetune.steps", "1", "--finetune.no-from-scratch"]
    start = ["--model", str(whole_run / "tiny" / "pretrain")]
    assert main(["finetune", "--task", "sentiment", *where, *quick, *start]) == 0
    said = capsys.readouterr()
    counts = re.search(r"(\d+) examples to train on, (\d+) held out", said.out)
    assert not said.err and counts
    predictions = tmp_path / "runs" / "tiny" / "finetune" / "sentiment" / "predictions.jsonl"
    assert len(predictions.read_text().splitlines()) == int(counts[2]) >= 8


def test_the_tables_are_long() -> None:
    assert len(raw_text.CASES) + len(task_data.CASES) + len(settings.WRONG) >= 60
    assert len(REVIEWS.splitlines()) == 40  # places in the tables count from here
