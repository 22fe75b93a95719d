"""What the page offers and loads, how likely labels are, and where it does not start."""

from __future__ import annotations

import dataclasses
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pipeline.cli import main
from pipeline.demo.page import page
from pipeline.demo.server import Serving, serve, started
from pipeline.demo.shelf import Shelf
from pipeline.errors import GroundupError
from pipeline.recipe import Finetune
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
from pipeline.tasks import task_named
from pipeline.tasks.base import Likely
from pipeline.tasks.problems import PROBLEMS
from tests.publish.finished_run import write_run


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with a pre-trained model and one of sentiment; the other tasks are not finished."""
    return write_run(load_recipe(str(tiny)), tmp_path_factory.mktemp("shelf"))


def test_what_is_not_finished_is_named_with_its_command(run: Run) -> None:
    shelf = Shelf(run)
    assert list(shelf.tasks) == ["sentiment"] and shelf.is_finished("pretrain")
    missing = {one.what: one.command for one in shelf.missing}
    assert missing == {
        task: f"make finetune TASK={task}" for task in ("translation", "qa", "summarization", "chat")
    }


def test_a_model_is_loaded_when_it_is_first_used_and_once(run: Run) -> None:
    shelf = Shelf(run)
    page(shelf)
    assert shelf._loaded == {}
    assert shelf.finished("sentiment") is shelf.finished("sentiment")
    assert list(shelf._loaded) == ["task sentiment"]


def _likely(problem: str, logits: list[float], **config: object) -> dict[str, Likely]:
    names = config.pop("names")
    made = SimpleNamespace(id2label=dict(enumerate(names)), num_labels=len(names), **config)  # type: ignore[arg-type]
    (found,) = PROBLEMS[problem](Finetune()).likely(torch.tensor([logits]), made)
    return found


def test_probabilities_and_thresholds_are_the_problems() -> None:
    classes = _likely("classes", [0.0, 0.0], names=["no", "yes"], decision_threshold={"yes": 0.3})
    assert classes == {"no": Likely(0.5), "yes": Likely(0.5, 0.3)}
    labels = _likely("labels", [0.0, 100.0], names=["joy", "fear"], decision_thresholds={"joy": 0.2})
    assert labels == {"joy": Likely(0.5, 0.2), "fear": Likely(1.0, 0.5)}
    ordinal = _likely("ordinal", [100.0, 0.0], names=["above 1", "above 2"], grades=[1.0, 2.0, 3.0])
    assert ordinal == {"1": Likely(0.0), "2": Likely(0.5), "3": Likely(0.5)}
    assert _likely("grades", [1.5], names=["grade"]) == {}


@pytest.mark.parametrize(
    ("task", "settings", "given", "words"),
    [
        ("qa", {}, {"question": "Who?"}, "it reads a context, and none is given"),
        ("translation", {"both_directions": True, "text_column": "fr", "label_column": "en"},
         {"text": "Oui", "into": "de"}, "not into 'de'"),
        ("answering", {}, {"question": "Who?"}, ""),
    ],
)  # fmt: skip
def test_what_a_person_gives_is_an_example_or_a_sentence(
    task: str, settings: dict[str, object], given: dict[str, str], words: str
) -> None:
    made = task_named(task, dataclasses.replace(Finetune(), **settings))  # type: ignore[arg-type]
    if not words:
        assert set(made.asks) <= set(made.asked_by(given).fields)
        return
    with pytest.raises(GroundupError, match=words):
        made.asked_by(given)


def test_no_model_is_one_line(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--recipe", str(tiny), "--runs", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "there is no finished model; run make pretrain" in said and said.count("\n") == 1


def test_a_taken_port_is_one_line(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(GroundupError, match=f"--port {port}: nothing can listen there"):
            started(run, Serving(port=port))


def test_who_lets_others_in_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import gradio

    monkeypatch.setattr(gradio.Blocks, "block_thread", lambda self: None)
    serve(run, Serving(port=0))
    assert "warning" not in capsys.readouterr().out
    serve(run, Serving(port=0, host="0.0.0.0"))
    assert "warning: everybody who reaches 0.0.0.0" in capsys.readouterr().out


def test_held_out_examples_may_be_gone(run: Run, tmp_path: Path) -> None:
    copy = Run(run.declared, tmp_path)
    shutil.copytree(run.path, copy.path)
    assert len(Shelf(copy).examples("sentiment")) == 1
    (copy.path / "finetune" / "sentiment" / "predictions.jsonl").unlink()
    assert Shelf(copy).examples("sentiment") == []
