"""A lineage on the tiny recipe: its numbers, what its rungs share, going on where it was cut off, what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import read_log
from pipeline.checks import check
from pipeline.cli import main
from pipeline.errors import GroundupError
from pipeline.recipe import Model, Rung
from pipeline.recipe_files import load_recipe
from pipeline.report.tables import number
from tests.forked import forked
from tests.lineage.conftest import Climbed

Prepare = Callable[[Path], Path]
TASKS = {"sentiment": "macro_f1", "translation": "chrf", "chat": "loss"}


def _told(run: Path, file: str = "lineage.json") -> dict[str, Any]:
    return json.loads((run / "lineage" / file).read_text())


def _row(run: Path, rung: str, stage: str) -> dict[str, Any]:
    return json.loads((run / "rungs" / rung / stage / "metrics.json").read_text())["model"]


def test_the_numbers_are_those_of_the_stages(climbed: Climbed) -> None:
    run, said = climbed.path, climbed.said
    rows, rungs = _told(run, "metrics.json"), _told(run)["rungs"]
    assert list(rows) == [rung["name"] for rung in rungs] == ["bert", "gpt2", "llama"]
    for rung in rungs:
        name, row = rung["name"], rows[rung["name"]]
        pretrain = _row(run, name, "pretrain")
        assert (
            row.get("bits_per_byte") == rung["scores"]["pretrain"]["value"] == pretrain.get("bits_per_byte")
        )
        assert (row["parameters"], row["tokens"]) == (pretrain["parameters"], pretrain["tokens"])
        line = next(line for line in said.splitlines() if line.startswith(f" {name} "))
        stages = [pretrain]
        for task in _tasks(run, name):
            stage, found, metric = _row(run, name, f"finetune/{task}"), rung["scores"][task], TASKS[task]
            details = json.loads((run / "rungs" / name / "finetune" / task / "details.json").read_text())
            assert found["value"] == row[f"{task}_{metric}"] == stage[metric]
            assert {end: found[end] for end in ("low", "high")} == details["model"]["intervals"][metric]
            assert f" {number(stage[metric])} " in line
            stages.append(stage)
        assert row["seconds"] == pytest.approx(sum(stage["seconds"] for stage in stages))
    assert _told(run, "manifest.json")["complete"]


def _tasks(run: Path, rung: str) -> list[str]:
    return [task for task in TASKS if (run / "rungs" / rung / "finetune" / task).is_dir()]


def test_what_a_rung_cannot_do_is_left_out_and_told(climbed: Climbed) -> None:
    scores = _told(climbed.path)["rungs"][0]["scores"]
    assert _tasks(climbed.path, "bert") == ["sentiment"] and _tasks(climbed.path, "gpt2") == list(TASKS)
    for task in ("translation", "chat"):
        assert scores[task]["value"] is None
        assert scores[task]["why"] == "an encoder writes no text, and bert is one"
    assert "No translation and chat of bert: an encoder writes no text, and bert is one." in climbed.said
    assert "do not multiply to a probability of the text" in scores["pretrain"]["why"]
    assert "No bits per byte of bert: a masked model gives" in climbed.said


def test_flops_are_those_of_the_tokens_that_were_trained_on(climbed: Climbed) -> None:
    run = climbed.path
    for name, row in _told(run, "metrics.json").items():
        (each,) = {e["flops_per_token"] for e in _log(run, name, "pretrain") if "flops_per_token" in e}
        tokens = _log(run, name, "pretrain")[-1]["tokens"]
        assert row["pretraining_flops"] == pytest.approx(each * tokens)
        assert 0 < tokens <= 6 * 4 * 64
        spent = 0.0
        for task in _tasks(run, name):
            log = _log(run, name, f"finetune/{task}")
            spent += next(e["flops_per_token"] for e in log if "flops_per_token" in e) * log[-1]["tokens"]
        assert row["finetuning_flops"] == pytest.approx(spent)


def _log(run: Path, rung: str, stage: str) -> list[dict[str, Any]]:
    log = read_log(run / "rungs" / rung / stage / "log.jsonl")
    return [entry for entry in log if "tokens" in entry]


def test_every_rung_has_the_same_text_tokenizer_and_budget(climbed: Climbed) -> None:
    run, said = climbed.path, climbed.said
    for rung in ("bert", "gpt2", "llama"):
        for shared in ("corpus/train/00000.parquet", "tokenizer/tokenizer.json"):
            assert (run / "rungs" / rung / shared).samefile(run / shared)
        tokens = _told(run, "metrics.json")[rung]["tokens"]
        assert tokens == 6 * 4 * (64 - (rung == "bert"))  # whose rows begin with a token that is no text
    assert "corpus: starts" not in said and said.count("tokenizer: starts") == 1


def test_gains_are_positive_where_a_rung_is_better(climbed: Climbed) -> None:
    run, said = climbed.path, climbed.said
    every = _told(run)["steps"]
    assert [step["column"] for step in every if step["rung"] == "gpt2"] == ["sentiment"]  # all that bert has
    steps = {step["column"]: step for step in every if step["rung"] == "llama"}
    assert set(steps) == {"pretrain", *TASKS}
    for column, metric, sign in (
        ("pretrain", "bits_per_byte", -1),
        ("sentiment", "macro_f1", 1),
        ("translation", "chrf", 1),
        ("chat", "loss", -1),
    ):
        stage = column if column == "pretrain" else f"finetune/{column}"
        before, after = (_row(run, rung, stage)[metric] for rung in ("gpt2", "llama"))
        step = steps[column]
        assert (step["since"], step["rung"]) == ("gpt2", "llama")
        assert step["gain"] == pytest.approx(sign * (after - before))
        if column != "pretrain":
            assert step["low"] <= step["gain"] <= step["high"]
            assert step["may_be_chance"] == (step["low"] <= 0 <= step["high"])
        assert f"{step['gain']:+.3f}" in said


def test_what_was_cut_off_goes_on_and_what_is_done_is_not_done_again(
    lineage: Path, climbed: Climbed, prepared: Prepare, tmp_path: Path
) -> None:
    runs = prepared(tmp_path / "runs")
    rungs = runs / "tiny" / "rungs"
    arguments = ["lineage", "--recipe", str(lineage), "--runs", str(runs), "--task", "sentiment"]
    job = forked(tmp_path, "pipeline", *arguments)
    while job.runs() and len(read_log(rungs / "llama" / "pretrain" / "log.jsonl")) < 2:
        time.sleep(0.01)
    assert job.runs(), "it ended before it could be killed"
    job.kill()
    made = (rungs / "gpt2" / "finetune" / "sentiment" / "manifest.json").stat().st_mtime_ns

    assert main(arguments) == 0
    assert (rungs / "gpt2" / "finetune" / "sentiment" / "manifest.json").stat().st_mtime_ns == made
    assert list(_told(runs / "tiny", "metrics.json")) == ["bert", "gpt2", "llama"]
    for rung in ("gpt2", "llama"):
        weights = f"{rung}/finetune/sentiment/model.safetensors"
        assert (rungs / weights).read_bytes() == (climbed.path / "rungs" / weights).read_bytes()


def test_some_rungs_are_chosen(lineage: Path, prepared: Prepare, tmp_path: Path) -> None:
    runs = prepared(tmp_path)
    arguments = ["lineage", "--recipe", str(lineage), "--runs", str(runs), "--task", "sentiment"]
    assert main([*arguments, "--rungs", "llama"]) == 0
    assert list(_told(runs / "tiny", "metrics.json")) == ["llama"] and _told(runs / "tiny")["steps"] == []
    assert not (runs / "tiny" / "rungs" / "gpt2").exists()


def test_an_unknown_rung_is_refused_with_the_nearest(lineage: Path, tmp_path: Path, capsys: Any) -> None:
    command = ["lineage", "--recipe", str(lineage), "--runs", str(tmp_path)]
    assert main([*command, "--rungs", "lama"]) == 2
    assert "did you mean 'llama'?" in capsys.readouterr().err
    assert main(["lineage", "--recipe", "quickstart", "--runs", str(tmp_path)]) == 2
    assert "it has no rungs" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("rungs", "words"),
    [
        ({"b": Rung(year=2001), "a": Rung(year=2000, optimizer="adamw")}, "2000 is before the 2001 of b"),
        ({"a": Rung(changed="this"), "b": Rung(changed="that")}, "trained as a is"),
        ({"a": Rung(model=Model(start="gpt2"))}, "seen other text"),
        ({"a": Rung(model=Model(context=128))}, "not the context of all rungs"),
        ({"a": Rung(model=Model(width=100))}, "rung 'a' --model.width: 100 does not divide"),
        ({"a": Rung(optimizer="schedule-free")}, "rung 'a' --pretrain.schedule: schedule-free averages"),
        ({"a/b": Rung()}, "no name of a directory"),
    ],
)
def test_rungs_that_cannot_stand_beside_each_other_are_refused(
    lineage: Path, rungs: dict[str, Rung], words: str
) -> None:
    recipe = replace(load_recipe(str(lineage)), lineage=rungs)
    with pytest.raises(GroundupError) as refusal:
        check(recipe)
    assert words in str(refusal.value)
