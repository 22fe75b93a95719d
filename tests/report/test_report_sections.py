"""Sections of the page: their numbers are those of the files, found again in another way."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pyarrow.parquet
import pytest

from pipeline.artifacts import Artifact, read_json, read_json_lines
from pipeline.report.figures import Point, curve, curves
from pipeline.report.sections import TaskSection
from pipeline.report.sections.examples import spread
from pipeline.report.sections.tokenizer import TokenizerSection
from pipeline.tokenizer.encode import encode_texts, load_encoder


def _texts(directory: Path) -> list[str]:
    tables = [pyarrow.parquet.read_table(file) for file in sorted(directory.glob("*.parquet"))]
    return [text for table in tables for text in table.column("text").to_pylist()]


def test_histograms_of_the_tokenizer_count_what_encoding_gives(whole_run: Path) -> None:
    run = whole_run / "tiny"
    section = TokenizerSection("tokenizer", Artifact(run / "tokenizer"), run / "corpus")
    encoder = load_encoder(run / "tokenizer" / "tokenizer.json")
    figures = section.figures
    counted: dict[str, int] = {}
    for ids in encode_texts(encoder, _texts(run / "corpus" / "train"), ""):
        low = 2 ** int(math.log2(len(ids) + 1))
        counted[f"{low}"] = counted.get(f"{low}", 0) + 1
    rows = figures["Tokens per document"].rows[""]
    assert {row[0]: int(row[2]) for row in rows if row[2] != "0"} == counted

    held_out = _texts(run / "corpus" / "validation")
    density = [
        len(t.encode()) / len(i) for t, i in zip(held_out, encode_texts(encoder, held_out, ""), strict=True)
    ]
    rows = figures["Bytes per token"].rows[""]
    assert sum(int(row[2]) for row in rows) in range(len(held_out) - 2, len(held_out) + 1), (
        "but for the far ones"
    )
    for low, high, count in rows:
        assert int(count) <= sum(float(low) - 1e-9 <= d <= float(high) + 1e-9 for d in density)


def test_no_histogram_is_drawn_of_another_corpus(whole_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "tiny"
    shutil.copytree(whole_run / "tiny", run)
    shutil.copy(run / "corpus" / "train" / "00000.parquet", run / "corpus" / "validation" / "00001.parquet")
    figures = TokenizerSection("tokenizer", Artifact(run / "tokenizer"), run / "corpus").figures
    assert set(figures) == {"Tokens per document"}


@pytest.mark.parametrize("task", ["sentiment", "qa"])
def test_calibration_comes_to_the_error_that_was_measured(whole_run: Path, task: str) -> None:
    artifact = Artifact(whole_run / "tiny" / "finetune" / task)
    rows = TaskSection(f"finetune/{task}", artifact).figures["Calibration on held-out examples"].rows[""]
    counts, said, right = ([float(row[place]) for row in rows] for place in (2, 3, 4))
    gap = sum(n * abs(s - r) for n, s, r in zip(counts, said, right, strict=True)) / sum(counts)
    assert gap == pytest.approx(artifact.metrics()["model"]["ece"], abs=1e-4)


def test_every_number_has_its_interval_and_every_rival_its_distance(whole_run: Path) -> None:
    artifact = Artifact(whole_run / "tiny" / "finetune" / "sentiment")
    section, metrics, details = (
        TaskSection("finetune/sentiment", artifact),
        artifact.metrics(),
        artifact.details(),
    )
    for row, values in details.items():
        for metric, ends in values["intervals"].items():
            low, high = map(float, section.intervals[row][metric].split(" to "))
            assert (low, high) == (
                pytest.approx(ends["low"], abs=1e-3),
                pytest.approx(ends["high"], abs=1e-3),
            )
    assert set(section.against) == set(metrics) - {"model"}
    for rival, said in section.against.items():
        ahead = metrics["model"]["accuracy"] - metrics[rival]["accuracy"]
        assert float(said["ahead by"]) == pytest.approx(ahead, abs=1e-3)


def test_worst_errors_are_those_of_the_file(whole_run: Path) -> None:
    directory = whole_run / "tiny" / "finetune" / "sentiment"
    worst = TaskSection("finetune/sentiment", Artifact(directory)).worst
    rows = read_json_lines(directory / "worst.jsonl")
    assert [e.fields["text"] for e in (*worst.first, *worst.others)] == [row["text"] for row in rows]


def test_questions_are_right_where_the_answer_is_one_that_is_wanted(whole_run: Path) -> None:
    directory = whole_run / "tiny" / "finetune" / "qa"
    examples = TaskSection("finetune/qa", Artifact(directory)).examples
    rights = [e.correct for e in (*examples.first, *examples.others)]
    score = read_json(directory / "metrics.json")["model"]["exact_match"]
    assert None not in rights and sum(map(bool, rights)) / len(rights) == pytest.approx(score)


def test_examples_are_taken_evenly_and_right_and_wrong_ones_both() -> None:
    rows = [{"text": str(n), "label": "ab"[n % 2], "correct": n % 10 != 0} for n in range(1000)]
    found = spread(rows)
    every = [*found.first, *found.others]
    assert found.of == "60 of 900 right ones, 60 of 100 wrong ones"
    assert len({e.fields["text"] for e in every}) == len(every) == 120
    assert max(int(e.fields["text"]) for e in every) > 950 and found.verdicts and found.labels == ["a", "b"]
    assert [e.correct for e in found.first] == [True] * 3 + [False] * 2
    assert not spread([]) and spread([{"text": "a"}]).of == "1 of 1 held-out ones"


def test_a_measurement_is_drawn_where_the_training_was() -> None:
    log = [
        {"step": 1, "loss": 3.0, "tokens": 10, "seconds": 0.5, "run": "model"},
        {"step": 1, "loss": 9.0, "tokens": 99, "seconds": 9.0, "run": "from_scratch"},
        {"step": 2, "loss": 2.0, "tokens": 20, "seconds": 1.5, "run": "model"},
        {"step": 2, "eval_loss": 2.5, "run": "model"},
    ]
    assert curve(log, "eval_loss", "model") == [Point({"steps": 2, "tokens": 20, "seconds": 1.5}, 2.5)]
    drawn = curves("Loss", {"training": curve(log, "loss", "model")}, "nats")
    assert list(drawn.drawings) == ["steps", "tokens", "seconds"]
    assert drawn.head == ["steps", "tokens", "seconds", "nats"]
    assert drawn.rows == {"training": [["1", "10", "0.5", "3"], ["2", "20", "1.5", "2"]]}
    bare = curves("Loss", {"training": curve([{"step": 1, "loss": 3.0}], "loss")}, "nats")
    assert list(bare.drawings) == ["steps"], "what the log does not tell cannot be drawn along"
    assert not curves("Loss", {"training": []}, "nats")
