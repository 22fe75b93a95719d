"""The table of a stage in the terminal, and the sentences under it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import Artifact, write_json
from pipeline.errors import GroundupError
from pipeline.report.tables import number, print_metrics, verdicts

SENTIMENT = {
    "model": {
        "accuracy": 0.812,
        "macro_f1": 0.8,
        "examples": 2500,
        "parameters": 6_812_345,
        "seconds": 61.26,
        "watt_hours": 1.25,
    },
    "from_scratch": {"accuracy": 0.75, "macro_f1": 0.7421875, "examples": 2500, "watt_hours": 1.0},
    "tfidf_logistic_regression": {"accuracy": 0.871, "examples": 2500},
}


def _printed(
    capsys: pytest.CaptureFixture[str], path: Path, stage: str, metrics: dict[str, dict[str, Any]]
) -> list[str]:
    write_json(path / "manifest.json", {"stage": stage})
    write_json(path / "metrics.json", metrics)
    print_metrics(Artifact(path))
    return capsys.readouterr().out.splitlines()


def test_a_row_for_each_rival_and_a_column_for_each_metric(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = _printed(capsys, tmp_path, "finetune/sentiment", SENTIMENT)
    cells = {line.split()[0]: line.split()[1:] for line in lines if line.split()}
    assert cells["accuracy"] == ["macro_f1", "examples", "parameters", "seconds"]
    assert cells["model"] == ["0.812", "0.800", "2,500", "6,812,345", "61.3"]
    assert cells["from_scratch"] == ["0.750", "0.742", "2,500", "–", "–"]
    assert cells["tfidf_logistic_regression"] == ["0.871", "–", "2,500", "–", "–"]
    assert "Wh of the training: model 1.250, from_scratch 1.000" in lines
    assert lines[-1] == "The model loses to tfidf_logistic_regression on accuracy: 0.812 against 0.871."


def test_output_that_is_no_terminal_is_plain_and_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    wide = {"model": {f"a_metric_with_a_long_name_{n}": 0.5 for n in range(12)}, "row [bold] of words": {}}
    text = "\n".join(_printed(capsys, tmp_path, "finetune/sentiment", wide))
    assert "\x1b" not in text and "…" not in text and "row [bold] of words" in text
    assert sum("a_metric_with_a_long_name_" in line for line in text.splitlines()) == 1


def test_counts_without_a_model_stand_one_below_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = {"documents": {"read": 1200, "kept": 1000}, "masked": {"email": 3}}
    lines = [line.split() for line in _printed(capsys, tmp_path, "corpus", counts)]
    expected = [["documents", "read", "1,200"], ["documents", "kept", "1,000"], ["masked", "email", "3"]]
    assert [line for line in lines if len(line) == 3] == expected


def test_a_damaged_file_is_the_user_s_to_mend(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(GroundupError, match="damaged"):
        print_metrics(Artifact(tmp_path))


def test_only_the_first_process_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    assert _printed(capsys, tmp_path, "finetune/sentiment", SENTIMENT) == []


def test_less_wins_where_less_is_better() -> None:
    metrics = {
        "model": {"bits_per_byte": 1.75},
        "xz": {"bits_per_byte": 1.5},
        "unigram": {"bits_per_byte": 4.5},
    }
    assert verdicts("pretrain", metrics) == ["The model loses to xz on bits per byte: 1.750 against 1.500."]
    chat = {"model": {"loss": 3.0, "perplexity": 20.0}, "from_scratch": {"loss": 4.0, "perplexity": 54.0}}
    assert verdicts("finetune/chat", chat) == []


def test_grades_and_labels_are_judged_by_metrics_of_their_own() -> None:
    grades = {"model": {"rmse": 0.5, "accuracy": 0.9}, "mean_grade": {"rmse": 0.4, "accuracy": 0.1}}
    assert verdicts("finetune/sentiment", grades) == [
        "The model loses to mean_grade on RMSE: 0.500 against 0.400."
    ]
    labels = {"model": {"micro_f1": 0.5}, "commonest_labels": {"micro_f1": 0.4}}
    assert verdicts("finetune/sentiment", labels) == []


def test_close_and_equal_results_are_told_as_they_are() -> None:
    metrics = {"model": {"accuracy": 0.81211}, "a": {"accuracy": 0.81213}, "b": {"accuracy": 0.81211}}
    assert verdicts("finetune/sentiment", metrics) == [
        "The model loses to a on accuracy: 0.81211 against 0.81213.",
        "The model does no better than b on accuracy: 0.812 each.",
    ]


def test_how_far_chance_goes_is_said() -> None:
    metrics = {
        "model": {"accuracy": 0.8},
        "a": {"accuracy": 0.81},
        "b": {"accuracy": 0.79},
        "c": {"accuracy": 0.5},
    }
    against = {
        "a": {"low": -0.02, "high": -0.001, "p": 0.03},
        "b": {"low": -0.004, "high": 0.021, "p": 0.3},
        "c": {"low": 0.28, "high": 0.32, "p": 0.002},
    }
    assert verdicts("finetune/sentiment", metrics, {"model": {"against": against}}) == [
        "The model loses to a on accuracy: 0.800 against 0.810 (95 % of the difference: -0.020 to -0.001; p = 0.030).",
        "The model's lead over b on accuracy may be chance: 0.800 against 0.790 "
        "(95 % of the difference: -0.004 to 0.021; p = 0.300).",
    ]


def test_intervals_stand_beside_the_main_metric(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {"accuracy": {"low": 0.79, "high": 0.831}, "macro_f1": {"low": 0.1, "high": 0.2}}
    write_json(tmp_path / "details.json", {"model": {"intervals": told}})
    lines = _printed(capsys, tmp_path, "finetune/sentiment", SENTIMENT)
    cells = {line.split()[0]: line.split()[1:] for line in lines if line.split()}
    assert cells["accuracy"][:3] == ["95", "%", "macro_f1"]
    assert cells["model"][:5] == ["0.812", "0.790", "to", "0.831", "0.800"]
    assert cells["from_scratch"][:3] == ["0.750", "–", "0.742"]
    write_json(tmp_path / "details.json", {"model": {"intervals": {"chrf": {"low": 29.0, "high": 33.0}}}})
    lines = _printed(
        capsys, tmp_path, "finetune/translation", {"model": {"bleu": 12.5, "chrf": 31.25, "n": 7}}
    )
    cells = {line.split()[0]: line.split()[1:] for line in lines if line.split()}
    assert cells["bleu"] == ["chrf", "95", "%", "n"]
    assert cells["model"] == ["12.500", "31.250", "29.000", "to", "33.000", "7"]


def test_a_model_that_came_to_nothing_is_not_called_a_winner() -> None:
    metrics = {"model": {"bits_per_byte": float("nan")}, "xz": {"bits_per_byte": 1.5}}
    assert verdicts("pretrain", metrics) == [
        "The model's bits_per_byte is not a number: its training went wrong."
    ]


@pytest.mark.parametrize("stage", ["corpus", "tokenizer"])
def test_nothing_competes_with_a_corpus_or_a_tokenizer(stage: str) -> None:
    assert verdicts(stage, {"model": {"accuracy": 0.1}, "other": {"accuracy": 0.9}}) == []


NUMBERS = [
    *[(None, "–"), (0, "0"), (1234567, "1,234,567"), (0.5, "0.500"), (0.00001234, "1.2e-05"), (0.0, "0.000")],
    *[(123.456, "123.5"), (4321.5, "4,322"), (-1.5, "-1.500"), (float("nan"), "nan"), (float("inf"), "inf")],
]


@pytest.mark.parametrize(("value", "text"), NUMBERS)
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert number(value) == text
