"""What the plan writes down, what the report makes of it, and what it refuses of a push."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.artifacts import read_json, write_json
from pipeline.cli import main
from pipeline.model.families import model_config
from pipeline.plan.measuring import measured_speed
from pipeline.plan.needs import Training
from pipeline.recipe import Model, Pretrain
from pipeline.recipe_files import load_recipe
from pipeline.report.planned import planned
from pipeline.stages import Run
from pipeline.train.watching.log import read_log
from tests.command_line import Groundup
from tests.hub_server import hub_server
from tests.hub_store import Hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A stand-in Hub without a repository."""
    with hub_server() as hub:
        yield hub


def test_a_plan_is_set_beside_what_was_measured(
    tiny: Path, whole_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.plan.measuring.SECONDS", 1.0)
    arguments = ["--recipe", str(tiny), "--runs", str(whole_run)]
    assert main(["plan", *arguments, "--plan.prices", "h100=3600", "--watch.no-energy"]) == 0
    said = capsys.readouterr().out
    assert "Chinchilla-optimal for" in said and "learnt from the beginning" not in said
    run = Run(load_recipe(str(tiny)), whole_run)
    plan, metrics = read_json(run.path / "plan.json"), run.artifact("pretrain").metrics()["model"]
    pretrain, sentiment = plan["stages"]["pretrain"], plan["stages"]["finetune/sentiment"]
    assert pretrain["tokens"] == metrics["tokens"] == 6 * 4 * 64
    assert sum(pretrain["parts"].values()) == metrics["parameters"]
    assert pretrain["memory_bytes"] == pytest.approx(sum(pretrain["memory"].values()))
    assert plan["machines"]["h100"]["price"] == pytest.approx(plan["machines"]["h100"]["seconds"])
    log = read_log(run.artifact("finetune/sentiment").path / "log.jsonl")
    seen = sum(max(e.get("tokens", 0) for e in log if e["run"] == row) for row in ("model", "from_scratch"))
    assert sentiment["tokens"] == pytest.approx(seen, rel=0.1)  # by the mean of the examples

    found = planned(run)
    assert found is not None and not found.others
    rows = {(q.stage, q.name): q for q in found.quantities}
    assert rows["pretrain", "tokens"].shown == ["1,536", "1,536", "× 1.00"]
    assert {name for stage, name in rows if stage == "finetune/qa"} >= {
        "tokens",
        "seconds of training",
        "memory, GB",
    }
    plan["stages"]["pretrain"]["fingerprint"] = "another"
    write_json(run.path / "plan.json", plan)
    assert main(["report", *arguments]) == 0
    page = (run.path / "report" / "index.html").read_text()
    assert "Planned and measured" in page
    assert "other settings or data than were planned: pretrain." in page


def test_steps_of_the_model_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.plan.measuring.SECONDS", 1.5)
    config = model_config(Model(depth=1, width=64, context=64), 512)
    settings = Pretrain(steps=1, global_batch=4, micro_batch=4)
    found = measured_speed(Training(config, settings, 64), "float32", energy=False)
    assert found.seconds >= 1.5 and 0 < found.utilisation < 1 and found.watts == 0
    large = model_config(Model(depth=40, width=2048, context=4096), 50_000)
    assert measured_speed(Training(large, settings, 4096), "float32", energy=False).training == 0


def test_a_push_that_would_be_refused_and_processes_that_do_not_divide_are_problems(
    tiny: Path, tmp_path: Path, hub: Hub, groundup: Groundup
) -> None:
    hub.role = "read"
    arguments = ["plan", "--recipe", tiny, "--runs", tmp_path, "--watch.no-energy", "--push", "user/films"]
    done = groundup(*arguments, "--plan.processes", "3", **hub.environment(tmp_path / "home"))
    assert done.returncode == 2 and "7 would fail" in done.stderr, done.stdout
    assert done.stdout.count("4 does not divide among 3 processes; use a multiple of 3") == 6
    assert "✗ user/films: the token may read and not write" in done.stdout
    assert not (tmp_path / "tiny").exists() and hub.repositories == {}
