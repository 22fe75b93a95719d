"""Raw text with bad rows: up to so many are listed and passed over, of all sources together."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet
import pytest

from pipeline.artifacts import Artifact
from pipeline.corpus.build import Builder
from pipeline.errors import GroundupError
from pipeline.recipe import Corpus, Executor
from tests.bad_input.case import DEEP, HALF, PROSE

GOOD = PROSE.split("\n\n")
BAD = [
    "{",
    "[1]",
    '{"text": ["x"]}',
    '{"txt": "x"}',
    f'{{"text": {HALF}}}',
    DEEP,
    '{"text": "x", "text": "y"}',
]


def _write(file: Path, bad: list[str]) -> str:
    good = [json.dumps({"text": text}) for text in GOOD]
    file.write_text("\n".join([*good[:40], *bad, *good[40:]]))
    return str(file)


def _build(sources: list[str], out: Path, bad_rows: int) -> None:
    settings = Corpus(
        sources=tuple(sources), skip_bad_rows=bad_rows, minimum_characters=20, near_duplicates=0
    )
    builder = Builder(settings, 0.1, 0, Executor(workers=1), Artifact(out))
    out.mkdir(exist_ok=True)
    builder.build(lambda: [])


def _texts(out: Path) -> set[str]:
    return {
        row["text"]
        for file in out.glob("*/*.parquet")
        for row in pyarrow.parquet.read_table(file).to_pylist()
    }


def test_bad_rows_are_listed_and_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rest is the corpus that there would be without them."""
    file, clean = _write(tmp_path / "a.jsonl", BAD), _write(tmp_path / "b.jsonl", [])
    _build([file], tmp_path / "out", len(BAD))
    told = [line for line in capsys.readouterr().out.splitlines() if "passed over" in line]
    for number, line in enumerate(told, start=1):
        assert line.startswith(f"corpus: passed over, {number} of at most 7: {file} line {40 + number}:")
    assert len(told) == len(BAD)
    _build([clean], tmp_path / "clean", 0)
    assert _texts(tmp_path / "out") == _texts(tmp_path / "clean")


def test_one_more_is_refused(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.jsonl", BAD)
    for fewer in (0, len(BAD) - 1):
        with pytest.raises(GroundupError, match=f"a.jsonl line {41 + fewer}:"):
            _build([file], tmp_path / f"out-{fewer}", fewer)


def test_the_bound_is_on_all_sources_together(tmp_path: Path) -> None:
    sources = [_write(tmp_path / name, BAD[:2]) for name in ("a.jsonl", "b.jsonl", "c.jsonl")]
    for _ in range(2):  # and again where the intake is done already
        with pytest.raises(GroundupError, match=r"c\.jsonl line 42:"):
            _build(sources, tmp_path / "out", 5)


def test_what_damages_a_file_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(json.dumps({"text": GOOD[0]}).encode() + b"\n\xff\n")
    with pytest.raises(GroundupError, match="line 2: byte 1 is not UTF-8"):
        _build([str(tmp_path / "a.jsonl")], tmp_path / "out", 9)
