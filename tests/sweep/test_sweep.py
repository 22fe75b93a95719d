"""A sweep on the tiny recipe: shared stages, pruning, going on where it was cut off, the best run again."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import main

QUICK = (
    *("--pretrain.steps", "4", "--pretrain.evaluate-every", "2", "--pretrain.optimizer", "adamw"),
    *("--model.depth", "1", "--pretrain.prompts"),
)


@pytest.fixture
def runs(whole_run: Path, tmp_path: Path) -> Path:
    """A runs directory with the stages before pre-training."""
    return _runs(whole_run, tmp_path, "pretrain", "finetune", "report")


def _runs(whole_run: Path, place: Path, *without: str) -> Path:
    shutil.copytree(whole_run / "tiny", place / "tiny", ignore=shutil.ignore_patterns(*without))
    return place


def _sweep(recipe: Path, runs: Path, *arguments: str) -> tuple[dict[str, Any], Path]:
    """What a sweep wrote, and its directory; the newest where there are several."""
    assert main(["sweep", "--recipe", str(recipe), "--runs", str(runs), *arguments]) == 0
    file = max((runs / "tiny" / "sweep").glob("*/sweep.json"), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(file.read_text()), file.parent


def test_a_poor_trial_is_pruned_an_impossible_one_passed_over_and_the_best_comes_out_again(
    tiny: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    over = ["--over=pretrain.learning-rate=3e-3,1e-2,3e-2,1e-7", "--over=pretrain.warmup=0.1,1.5"]
    said, directory = _sweep(tiny, runs, *over, *QUICK)
    table = capsys.readouterr().out
    values = [trial["value"] for trial in said["trials"]]
    assert [t["state"] for t in said["trials"]] == ["finished"] * 3 + ["pruned"] + ["refused"] * 4
    assert values[:3] == sorted(values[:3]) and values[3] > max(values[:3]) and not any(values[4:])
    assert [trial["steps"] for trial in said["trials"]] == [4, 4, 4, 2, 0, 0, 0, 0]
    assert said["trials"][3]["settings"] == {"pretrain.learning-rate": "1e-7", "pretrain.warmup": "0.1"}
    assert (
        table.index(f" {said['trials'][0]['trial']} ") < table.index(" pruned ") and said["command"] in table
    )
    assert "--pretrain.warmup: 1.5 is no share" in table

    poor, best = (directory / said["trials"][place]["trial"] / "pretrain" for place in (3, 0))
    assert not json.loads((poor / "manifest.json").read_text())["complete"]
    assert not (poor / "checkpoints").exists()
    for shared in ("corpus/train/00000.parquet", "tokenizer/tokenizer.json"):
        assert (best.parent / shared).samefile(runs / "tiny" / shared)

    assert main(shlex.split(said["command"])[1:]) == 0
    again = runs / "tiny" / "pretrain" / "model.safetensors"
    assert again.read_bytes() == (best / "model.safetensors").read_bytes()

    assert _sweep(tiny, runs, *over, *QUICK)[0] == said  # nothing is left to try


def test_a_sweep_that_was_cut_off_goes_on_and_tries_what_it_would_have(
    tiny: Path, whole_run: Path, tmp_path: Path
) -> None:
    import optuna

    arguments = (
        "--over",
        "pretrain.learning-rate=1e-4..1e-2:log",
        "--over=pretrain.optimizer=adamw,muon",
        *QUICK,
    )
    whole, cut = (
        _runs(whole_run, tmp_path / name, "pretrain", "finetune", "report") for name in ("whole", "cut")
    )
    expected, _ = _sweep(tiny, whole, *arguments, "--trials", "3")
    _, directory = _sweep(tiny, cut, *arguments, "--trials", "1")
    storage = f"sqlite:///{directory / 'study.db'}"
    study = optuna.load_study(study_name=directory.name, storage=storage)
    other = next(t for t in expected["trials"] if t["trial"] == "trial-1")["settings"]
    study.enqueue_trial(other, {"name": "trial-1"})
    study.ask(dict(_distributions()))  # what a process leaves behind that ends in the middle of a trial
    found, _ = _sweep(tiny, cut, *arguments, "--trials", "3")

    def tried(said: dict[str, Any]) -> list[tuple[Any, ...]]:
        return [(t["trial"], t["settings"], t["value"], t["state"]) for t in said["trials"]]

    assert tried(found) == tried(expected)


def _distributions() -> Any:
    import optuna

    yield "pretrain.learning-rate", optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True)
    yield "pretrain.optimizer", optuna.distributions.CategoricalDistribution(("adamw", "muon"))


def test_a_task_judges_by_its_own_metric_on_one_pretrained_model(
    tiny: Path, whole_run: Path, tmp_path: Path
) -> None:
    runs = _runs(whole_run, tmp_path, "finetune", "report")
    said, directory = _sweep(tiny, runs, "--task", "sentiment", "--over", "finetune.learning-rate=1e-6,1e-2")
    assert (said["metric"], said["stage"]) == ("accuracy", "finetune/sentiment")
    values = [trial["value"] for trial in said["trials"]]
    assert len(values) == 2 and values[0] >= values[1]
    model = directory / said["trials"][0]["trial"] / "pretrain" / "model.safetensors"
    assert model.samefile(runs / "tiny" / "pretrain" / "model.safetensors")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--over", "pretrain.learning-rte=1..2"], "did you mean '--pretrain.learning-rate'?"),
        (["--over", "finetune.steps=1..2"], "it changes nothing about pretrain"),
        (["--over", "pretrain.log-every=1..2"], "it changes nothing about pretrain"),
        (["--over", "pretrain.warmup=0.1,1.5"], "1.5 is no share"),
        (["--over", "seed=0..9", "--trials", "0"], "0 try nothing"),
        (["--over", "seed=0..9", "--task", "all"], "one task at a time"),
        (["--over", "seed=0..9", "--pretrain.step", "3"], "did you mean '--pretrain.steps'?"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_any_work(
    tiny: Path, tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "--recipe", str(tiny), "--runs", str(tmp_path), *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_several_processes_and_a_missing_optuna_are_said_clearly(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["sweep", "--recipe", str(tiny), "--runs", str(tmp_path), "--over", "seed=0..9"]
    with monkeypatch.context() as here:
        here.setitem(sys.modules, "optuna", None)
        assert main(arguments) == 2
        assert "pip install 'groundup[sweep]'" in capsys.readouterr().err
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(arguments) == 2
    assert "2 processes were started" in capsys.readouterr().err
