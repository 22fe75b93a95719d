"""A Space: pushed to the stand-in Hub, started as the Hub would start it, and saying what the model says at home."""

from __future__ import annotations

import dataclasses
import json
import runpy
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import SpaceCard

from pipeline.artifacts import read_json_lines
from pipeline.errors import GroundupError
from pipeline.inference.finished import finished
from pipeline.inference.next_token import likeliest
from pipeline.inference.speaker import Speaker
from pipeline.publish.facts import Facts
from pipeline.publish.space import space_card, space_files
from pipeline.recipe import Finetune
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
from pipeline.tasks import TASKS
from tests.command_line import Groundup
from tests.hub_server import hub_server
from tests.hub_store import Hub, Repository
from tests.publish.finished_run import write_run

FILES = {".gitattributes", "README.md", "app.py", "requirements.txt", "settings.json"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A stand-in Hub without a repository."""
    with hub_server() as hub:
        yield hub


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with a model of sentiment from random weights."""
    return write_run(load_recipe(str(tiny)), tmp_path_factory.mktemp("space"))


def _arguments(verb: str, run: Run, tiny: Path, *more: str) -> list[str]:
    return [verb, "--recipe", str(tiny), "--runs", str(run.runs), *more]


def _fetched(directory: Path, environment: dict[str, str]) -> str:
    """The page of an ``app.py`` that is started in its directory, with the port that a Space gives."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    told = {"GRADIO_SERVER_PORT": port, "GRADIO_ANALYTICS_ENABLED": "False", "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(
        [sys.executable, "app.py"], cwd=directory, env={"PATH": "", "HOME": str(directory), **told, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 180
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                    return str(answer.read().decode())
            except (urllib.error.URLError, ConnectionError):
                assert server.poll() is None and time.monotonic() < until, server.communicate(timeout=5)[0]
                time.sleep(0.3)
    finally:
        server.kill()
        server.communicate()


def test_a_space_is_pushed_in_private_and_shows_the_published_model(
    run: Run, tiny: Path, hub: Hub, groundup: Groundup, tmp_path: Path
) -> None:
    environment = hub.environment(tmp_path / "pusher")
    named = ["--task", "sentiment", "--repo", "user/films"]
    absent = groundup(*_arguments("space", run, tiny, *named), **environment)
    assert absent.returncode == 2 and "publish it first" in absent.stderr and hub.spaces == {}

    assert groundup(*_arguments("publish", run, tiny, *named), **environment).returncode == 0
    done = groundup(*_arguments("space", run, tiny, *named), **environment)
    assert done.returncode == 0, done.stderr
    assert f"published: {hub.url}/spaces/user/films (private)" in done.stdout
    assert "user/films is private: give the Space a secret HF_TOKEN" in done.stdout
    space = hub.spaces["user/films"]
    assert set(space.files) == FILES and space.private and len(space.commits) == 2
    told = json.loads(space.files["settings.json"].content)
    assert (told["model"], told["revision"]) == ("user/films", hub.repositories["user/films"].commits[-1][0])

    again = groundup(*_arguments("space", run, tiny, *named), **environment)
    assert again.returncode == 0 and set(space.files) == FILES

    for name in FILES - {".gitattributes"}:
        (tmp_path / name).write_bytes(space.files[name].content)
    page = _fetched(tmp_path, hub.environment(tmp_path / "space"))
    assert "<title>films</title>" in page or '"title":"films"' in page
    assert "Classify" in page


def test_what_stands_against_a_space_is_one_line(
    run: Run, tiny: Path, hub: Hub, groundup: Groundup, tmp_path: Path
) -> None:
    environment = hub.environment(tmp_path)

    def refused(*more: str) -> str:
        done = groundup(*_arguments("space", run, tiny, *more), **environment)
        assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr
        return done.stderr

    assert "no repository is named" in refused("--task", "sentiment")
    assert "not of the form user/name" in refused("--repo", "user/films", "--model-repo", "films")
    assert "there is no such model yet; run groundup finetune --task qa first" in refused(
        "--repo", "user/qa", "--task", "qa"
    )
    hub.spaces["user/films"] = Repository(private=False)
    hub.spaces["user/films"].commit({})
    assert "everybody can read it" in refused("--repo", "user/films")
    hub.role = "read"
    assert "may read and not write" in refused("--repo", "user/other")
    assert all(request.startswith("GET") for request in hub.requests)


def test_dry_run_asks_nothing_of_the_hub(
    run: Run, tiny: Path, hub: Hub, groundup: Groundup, tmp_path: Path
) -> None:
    arguments = _arguments("space", run, tiny, "--repo", "user/films", "--dry-run")
    done = groundup(*arguments, **hub.environment(tmp_path, token=None))
    assert done.returncode == 0 and hub.requests == [], done.stderr
    assert "sdk: gradio" in done.stdout and "4 files for user/films" in done.stdout


def test_the_card_is_what_the_hub_starts_a_space_by() -> None:
    card = SpaceCard(space_card("films", "user/films"))
    assert (card.data.sdk, card.data.app_file, card.data.models) == ("gradio", "app.py", ["user/films"])
    assert card.data.sdk_version and "](https://" in card.text


def _app(run: Run, stage: str, place: Path) -> dict[str, Any]:
    """What the page of a stage defines, with the stage's own directory as the model."""
    model = str(run.artifact(stage).path)
    place.mkdir()
    for name, content in space_files(Facts(run, stage), "user/b", "main").items():
        assert isinstance(content, bytes)
        (place / name).write_bytes(content.replace(b'"user/b"', json.dumps(model).encode()))
    return runpy.run_path(str(place / "app.py"))


@pytest.fixture(scope="module")
def trained(whole_run: Path, tiny: Path) -> Run:
    """The whole chain's run."""
    return Run(load_recipe(str(tiny)), whole_run)


def _at_home(run: Run, task: str, **given: str) -> dict[str, Any]:
    made = finished(run, task)
    return made.task.predict(made.model, made.tokenizer, [made.task.asked_by(given)])[0]


def test_the_page_classifies_as_at_home(trained: Run, tmp_path: Path) -> None:
    app = _app(trained, "finetune/sentiment", tmp_path / "app")
    for text in ("The film was wonderful.", "A dull, empty story."):
        wanted = _at_home(trained, "sentiment", text=text)
        said, likely = app["classify"](text)
        assert said == wanted["prediction"] and sum(likely.values()) == pytest.approx(1)
        assert likely[said] == pytest.approx(wanted["probability"], abs=1e-5)
    assert app["classify"](" ") == ("Write something first.", None)


def test_the_page_answers_as_at_home(trained: Run, tmp_path: Path) -> None:
    app = _app(trained, "finetune/qa", tmp_path / "app")
    rows = read_json_lines(trained.artifact("finetune/qa").path / "predictions.jsonl")[:6]
    model, settled = app["model"], app["model"].config.no_answer_threshold
    for threshold in (settled, -1e9):  # with all answered too
        model.config.no_answer_threshold = threshold
        for row in rows:
            said, marked = app["answer"](row["question"], row["context"])
            assert "".join(text for text, _ in marked) == row["context"]
            if threshold == settled:
                assert said == (row["prediction"] or "no answer in this text")
            else:
                assert [text for text, label in marked if label] == [said]


@pytest.mark.parametrize("task", ["translation", "summarization"])
def test_the_page_writes_as_at_home(trained: Run, tmp_path: Path, task: str) -> None:
    app = _app(trained, f"finetune/{task}", tmp_path / "app")
    field = next(iter(app["SETTINGS"]["fields"]))
    for text in ("Open the film", "The ending stayed warm for 5 minutes."):
        wanted = _at_home(trained, task, **{field: text})["prediction"]
        assert " ".join(app["write"]("", text).split()) == " ".join(wanted.split()) or wanted == ""
    assert app["write"]("", "") == f"Write something first: {field}."
    assert "write less" in app["write"]("", "word " * 400)


def test_the_page_talks_and_shows_text(trained: Run, tmp_path: Path) -> None:
    app = _app(trained, "finetune/chat", tmp_path / "app")
    *_, (messages, log, left) = app["answer"]([], "<b>Hi</b>", "", 0, 8)
    assert left == "" and [one["role"] for one in messages] == ["user", "assistant"]
    assert log[0]["content"] == "&lt;b&gt;Hi&lt;/b&gt;" and messages[0]["content"] == "<b>Hi</b>"
    *_, (_, log, left) = app["answer"](messages, "word " * 400, "", 0, 8)
    assert left.startswith("word") and "write less" in log[-1]["content"]
    *_, (longer, _, _) = app["answer"](messages * 9, "And now?", "", 0, 4)
    assert len(longer) < 20, "the oldest are forgotten"


def test_the_page_continues_and_shows_next_tokens(trained: Run, tmp_path: Path) -> None:
    app = _app(trained, "pretrain", tmp_path / "app")
    wanted = likeliest(Speaker.load(trained.artifact("pretrain")), "The film", 10)
    assert list(app["likeliest"]("The film").values()) == pytest.approx([one.probability for one in wanted])
    assert app["continued"]("The film", 0, 5).startswith("The film")


def test_prompts_have_the_fields_that_are_asked_for() -> None:
    ways = dataclasses.replace(Finetune(), both_directions=True, text_column="en", label_column="fr")
    for settings in (Finetune(), ways):
        for task in TASKS.values():
            for reads in (False, True):
                prompts = task.prompts(settings, reads)
                assert all(
                    any(f"{{{name}}}" in form for name in task(settings).asks) for form in prompts.values()
                )
    assert list(TASKS["translation"].prompts(ways, True).items()) == [
        ("fr", ">>fr<< {text}"),
        ("en", ">>en<< {text}"),
    ]


def test_a_task_without_a_page_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    copy = Run(run.declared, tmp_path)
    shutil.copytree(run.path, copy.path)
    monkeypatch.setattr(TASKS["sentiment"], "pipeline_tag", "token-classification")
    with pytest.raises(GroundupError, match="there is no page for it"):
        space_files(Facts(copy, "finetune/sentiment"), "user/b", "main")
    assert [path.name for path in tmp_path.iterdir()] == [run.recipe.name]
