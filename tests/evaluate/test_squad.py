"""SQuAD's numbers: those of its scripts, which ``squad_official.jsonl`` holds, and those of the definitions."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from pipeline.evaluate.metrics import SquadMatch
from pipeline.evaluate.squad import character_f1, main, squad_v1, squad_v2, token_f1
from tests.evaluate.squad_cases import Cases, cases

OFFICIAL = [
    json.loads(line)
    for line in (Path(__file__).parent / "squad_official.jsonl").read_text("utf-8").splitlines()
]
"""What the scripts for v1.1 and v2.0 printed, by Python 3.11, of the cases of each seed."""


def _same(found: dict[str, float], wanted: dict[str, float]) -> bool:
    if sys.version_info < (3, 12):
        return found == wanted
    # Since then ``sum`` of Python itself rounds less, in the scripts as here.
    close = (math.isclose(found[name], value, rel_tol=1e-14) for name, value in wanted.items())
    return found.keys() == wanted.keys() and all(close)


def test_the_scripts_numbers_to_the_last_digit() -> None:
    assert len(OFFICIAL) == 400
    for row in OFFICIAL:
        made = cases(row["seed"], answerable="v1" in row)
        if "v1" in row:
            found, wanted = squad_v1(made.predictions, made.answers), row["v1"]
        else:
            found = squad_v2(made.predictions, made.answers, made.no_answer, row["threshold"])
            wanted = row["v2"]
        assert _same(found, wanted), (row["seed"], found, wanted)


def test_the_table_has_the_scripts_numbers() -> None:
    for row in OFFICIAL:
        if row.get("threshold") == 1.0:
            made = cases(row["seed"])
            found = SquadMatch().compute(predictions=made.predictions, references=made.answers)
            assert 100 * found["exact_match"] == pytest.approx(row["v2"]["exact"], rel=1e-12)
            assert 100 * found["f1"] == pytest.approx(row["v2"]["f1"], rel=1e-12)


_TEXT = some.sampled_from(["Oslo", "old Oslo", "a fjord", "Rome"])
_ROW = some.tuples(some.lists(_TEXT, max_size=2), _TEXT, some.integers(0, 50).map(lambda n: n / 50))


@settings(deadline=None)
@given(some.lists(_ROW, min_size=1, max_size=9, unique_by=lambda row: row[2]))
def test_the_best_threshold_is_the_best_of_all(rows: list[tuple[list[str], str, float]]) -> None:
    made = Cases(*map(list, zip(*rows, strict=True)))
    found = squad_v2(made.predictions, made.answers, made.no_answer)
    for name in ("exact", "f1"):
        every = {
            edge: squad_v2(made.predictions, made.answers, made.no_answer, edge)[name]
            for edge in (-1.0, *made.no_answer)
        }
        assert found[f"best_{name}"] == pytest.approx(max(every.values()))
        # Where none is better than to answer nothing, the script names 0.
        assert pytest.approx(max(every.values())) in (every.get(found[f"best_{name}_thresh"]), every[-1.0])


def test_words_that_white_space_does_not_part() -> None:
    assert token_f1("北京大学", "北京") == 0.0 and character_f1("北京大学", "北京") == pytest.approx(2 / 3)
    assert character_f1("北京，", "《北京》") == 1.0 and character_f1("", "北京") == 0.0
    assert character_f1("in 北京", "北京") == pytest.approx(0.8)
    chinese = SquadMatch().compute(predictions=["北京大学", ""], references=[["北京"], []])
    assert chinese["f1"] == pytest.approx((2 / 3 + 1) / 2) and chinese["exact_match"] == 0.5


def test_as_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = {"x": ["Oslo", "the Oslo"], "y": [], "z": ["a fjord"]}
    questions = [
        {"id": name, "question": "?", "answers": [{"text": text, "answer_start": 0} for text in known]}
        for name, known in answers.items()
    ]
    files = {
        "data": {
            "version": "2.0",
            "data": [{"title": "t", "paragraphs": [{"context": "", "qas": questions}]}],
        },
        "said": {"z": "fjord!", "x": "old Oslo", "y": "Rome"},
        "odds": {"x": 0.1, "y": 0.9, "z": 0.2},
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    main([str(tmp_path / "data"), str(tmp_path / "said"), "--na-prob-file", str(tmp_path / "odds")])
    said = json.loads(capsys.readouterr().out)
    assert said["exact"] == pytest.approx(100 / 3) and said["best_exact"] == pytest.approx(200 / 3)
    assert said["best_f1_thresh"] == 0.2 and said["NoAns_total"] == 1
    questions.pop(1)
    (tmp_path / "data").write_text(json.dumps(files["data"]))
    main([str(tmp_path / "data"), str(tmp_path / "said")])
    assert json.loads(capsys.readouterr().out) == {"exact_match": 50.0, "f1": pytest.approx(100 * 5 / 6)}
