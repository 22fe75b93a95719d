"""Checkpoints on the Hub while a training runs, and a training that goes on whatever the Hub does."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from pipeline.artifacts import Artifact
from pipeline.cli import main
from tests.command_line import Groundup
from tests.hub_server import hub_server
from tests.hub_store import Blob

FAILED = "a checkpoint was not pushed, and the training goes on"


def _checkpoints(commits: list[tuple[str, dict[str, Blob]]]) -> dict[int, dict[str, Blob]]:
    """Files by the step that the card tells."""
    found = {}
    for _, files in commits:
        card = files["README.md"].content.decode() if "README.md" in files else ""
        if told := re.search(r": step (\d+) of \d+\. The training goes on", card):
            found[int(told[1])] = files
    return found


def _written(files: dict[str, Blob], place: Path) -> Path:
    place.mkdir()
    for name, blob in files.items():
        (place / name).write_bytes(blob.content)
    return place


def test_checkpoints_are_pushed_and_a_hub_that_refuses_ends_no_training(
    tiny: Path, groundup: Groundup, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    arguments = [
        "--recipe",
        tiny,
        "--runs",
        runs,
        "--push",
        "user/films",
        "--push-checkpoints",
        "--watch.no-energy",
    ]
    with hub_server() as hub:
        environment = hub.environment(tmp_path / "home")
        hub.refuse_writes = HTTPStatus.FORBIDDEN
        refused = groundup("pretrain", *arguments, **environment)
        assert refused.returncode == 2 and "the Hub refuses the token (status 403)" in refused.stderr
        assert (
            refused.stdout.count(FAILED) == 1 and Artifact(runs / "tiny" / "pretrain").manifest()["complete"]
        )

        hub.refuse_writes = None
        done = groundup("pretrain", *arguments, "--pretrain.learning-rate", "2e-3", **environment)
        assert done.returncode == 0 and FAILED not in done.stdout, done.stderr
        found = _checkpoints(hub.repositories["user/films"].commits)
        assert found and set(found) <= {2, 4, 6}
        first = found[min(found)]
        assert (
            "optimizer.pt" not in first
            and "model-index" in hub.repositories["user/films"].files["README.md"].content.decode()
        )
        place = _written(first, tmp_path / "first")
        assert AutoTokenizer.from_pretrained(place)("The film")["input_ids"]
        assert AutoModelForCausalLM.from_pretrained(place).num_parameters() > 0

        task = ["--task", "sentiment", "--finetune.no-from-scratch", "--finetune.checkpoint-every", "2"]
        words = [word if word != "user/films" else "user/moods" for word in map(str, arguments)]
        tuned = groundup("finetune", *words, "--pretrain.learning-rate", "2e-3", *task, **environment)
        assert tuned.returncode == 0, tuned.stderr
        found = _checkpoints(hub.repositories["user/moods"].commits)
        assert found and set(found) <= {2, 4}
        place = _written(found[min(found)], tmp_path / "task")
        model = AutoModelForSequenceClassification.from_pretrained(place)
        assert model.config.id2label == {0: "negative", 1: "positive"}
        assert not (runs / "tiny" / "pretrain" / "checkpoints" / ".pushing").exists()


def test_where_to_has_to_be_said(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "--recipe", str(tiny), "--runs", str(tmp_path), "--push-checkpoints"]) == 2
    assert "add --push user/name" in capsys.readouterr().err
