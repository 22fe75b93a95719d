"""Two runs beside each other, by their own predictions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.artifacts import read_json_lines, write_json_lines
from pipeline.cli import main
from pipeline.errors import GroundupError
from pipeline.report.compare import compare_runs


def _other(run: Path, place: Path, wrong: int) -> Path:
    """The same run, with right answers of sentiment, but for some."""
    shutil.copytree(run, place)
    file = place / "finetune" / "sentiment" / "predictions.jsonl"
    rows = read_json_lines(file)
    names = sorted({row["label"] for row in rows})
    for number, row in enumerate(rows):
        right = number >= wrong
        row["prediction"] = row["label"] if right else next(name for name in names if name != row["label"])
    write_json_lines(file, rows)
    return place


def test_a_run_is_no_better_than_itself_and_worse_than_the_truth(
    whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = whole_run / "tiny"
    same = compare_runs(run, run)
    assert {found.task for found in same} == {path.name for path in (run / "finetune").iterdir()}
    assert all(found.scores[0] == found.scores[1] and found.p == 1 for found in same)
    assert {found.verdict for found in same} == {"no difference beyond chance"}
    for found in same:  # from the predictions alone
        metrics = json.loads((run / "finetune" / found.task / "metrics.json").read_text())["model"]
        assert found.scores[0] == pytest.approx(metrics[found.metric])

    truth, lie = _other(run, tmp_path / "truth", 0), _other(run, tmp_path / "lie", 10**6)
    (found,) = compare_runs(lie, truth, ["sentiment"])
    assert (found.scores, found.low, found.high) == ((0, 1), 1, 1) and found.p < 0.01
    assert found.verdict == "the second is better"
    assert main(["compare", str(truth), str(lie), "--task", "sentiment"]) == 0
    assert "the first is better" in capsys.readouterr().out


def test_what_cannot_be_compared_is_refused(
    whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = whole_run / "tiny"
    assert main(["compare", str(run)]) == 2
    assert "it takes two runs, not 1" in capsys.readouterr().err
    with pytest.raises(GroundupError, match="there is no such directory"):
        compare_runs(run, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(GroundupError, match="they share no finished task"):
        compare_runs(run, tmp_path / "empty")
    with pytest.raises(GroundupError, match="it has no finished task 'qa'"):
        compare_runs(run, tmp_path / "empty", ["qa"])
    other = _other(run, tmp_path / "other", 0)
    file = other / "finetune" / "sentiment" / "predictions.jsonl"
    write_json_lines(file, read_json_lines(file)[1:])
    with pytest.raises(GroundupError, match="they were measured on other examples"):
        compare_runs(run, other, ["sentiment"])
