"""Pushing to a stand-in Hub with the real client, and loading again with transformers alone."""

from __future__ import annotations

import dataclasses
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipeline.artifacts import read_json, write_json
from pipeline.cli import main
from pipeline.recipe import Grpo
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
from tests.command_line import Groundup
from tests.hub_server import hub_server
from tests.hub_store import Blob, Hub, Repository
from tests.publish.finished_run import ALIGNED_METRICS, finish_aligned, write_run

PUSHED = {
    ".gitattributes", "README.md", "config.json", "manifest.json", "metrics.json", "model.safetensors",
    "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of the tiny recipe, with a model that was aligned."""
    grpo = Grpo(data=("reasoning-gym:chain_sum",))
    run = write_run(dataclasses.replace(load_recipe(str(tiny)), grpo=grpo), tmp_path_factory.mktemp("push"))
    finish_aligned(run, "grpo", ALIGNED_METRICS)
    return run


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A stand-in Hub without a repository."""
    with hub_server() as hub:
        yield hub


def _arguments(run: Run, tiny: Path, *more: str) -> list[str]:
    return ["publish", "--recipe", str(tiny), "--runs", str(run.runs), *more]


def _snapshot(directory: Path) -> dict[str, tuple[int, bytes]]:
    files = [file for file in directory.rglob("*") if file.is_file()]
    return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


@pytest.mark.parametrize(
    ("task", "model", "more"),
    [
        ("", "model", []),
        ("sentiment", "classify.model", ["--task", "sentiment", "--public"]),
        ("grpo", "chat.model", ["--task", "grpo"]),
    ],
)
def test_code_of_the_card_loads_the_pushed_model_bit_for_bit(
    run: Run, tiny: Path, hub: Hub, groundup: Groundup, tmp_path: Path, task: str, model: str, more: list[str]
) -> None:
    before = _snapshot(run.path)
    arguments = _arguments(run, tiny, "--repo", "user/films", *more)
    done = groundup(*arguments, **hub.environment(tmp_path / "pusher"))
    assert done.returncode == 0, done.stderr
    assert f"published: {hub.url}/user/films" in done.stdout
    repository = hub.repositories["user/films"]
    assert len(repository.commits) == 2, "everything goes up in one commit"
    assert set(repository.files) - {"generation_config.json"} == PUSHED
    assert repository.files["model.safetensors"].lfs and repository.private == ("--public" not in more)
    assert _snapshot(run.path) == before

    code = re.findall(r"```python\n(.*?)```", repository.files["README.md"].content.decode(), re.DOTALL)[0]
    saved = tmp_path / "loaded.pt"
    code += f"\nimport torch\ntorch.save({model}.state_dict(), {str(saved)!r})\n"
    environment = {"PATH": "", "OMP_NUM_THREADS": "1", **hub.environment(tmp_path / "stranger")}
    user = [sys.executable, "-c", code]
    used = subprocess.run(user, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert used.returncode == 0, used.stderr
    assert "positive" in used.stdout or "negative" in used.stdout or task != "sentiment"

    stage = run.artifact(run.stage_of(task) if task else "pretrain").path
    sent, loaded = load_file(stage / "model.safetensors"), torch.load(saved)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in sent.items())
    assert repository.files["tokenizer.json"].content == (stage / "tokenizer.json").read_bytes()


def test_files_of_an_earlier_push_go_and_others_stay(
    run: Run, tiny: Path, hub: Hub, groundup: Groundup, tmp_path: Path
) -> None:
    repository = hub.repositories["user/films"] = Repository(private=False)
    old = {"README.md": b"old", "vocab.txt": b"old", "notes.txt": b"kept"}
    repository.commit({name: Blob(content, lfs=False) for name, content in old.items()})
    environment = hub.environment(tmp_path)
    done = groundup(*_arguments(run, tiny, "--repo", "user/films", "--public"), **environment)
    assert done.returncode == 0 and "user/films (public)" in done.stdout, done.stderr
    assert "vocab.txt" not in repository.files
    assert repository.files["notes.txt"].content == b"kept"
    assert repository.files["README.md"].content.startswith(b"---\n")

    private = groundup(*_arguments(run, tiny, "--repo", "user/films"), **environment)
    _refused(private, "is there already, and everybody can read it; add --public")
    assert len(repository.commits) == 2


def test_dry_run_shows_card_and_files_and_asks_nothing_of_the_hub(
    run: Run, tiny: Path, hub: Hub, groundup: Groundup, tmp_path: Path
) -> None:
    arguments = _arguments(run, tiny, "--repo", "user/films", "--task", "sentiment", "--dry-run")
    done = groundup(*arguments, **hub.environment(tmp_path, token=None))
    assert done.returncode == 0, done.stderr
    assert "model-index:" in done.stdout and "nothing has been pushed" in done.stdout
    size = (run.artifact("finetune/sentiment").path / "model.safetensors").stat().st_size
    assert re.search(rf"^ +{size:,}  model\.safetensors$", done.stdout, re.MULTILINE)
    assert "predictions.jsonl" not in done.stdout.split("nothing has been pushed")[1]
    assert hub.requests == []


def _refused(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize("status", [HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND])
def test_hub_that_refuses_is_one_line(
    run: Run, tiny: Path, hub: Hub, groundup: Groundup, tmp_path: Path, status: HTTPStatus
) -> None:
    hub.refuse_writes = status
    done = groundup(*_arguments(run, tiny, "--repo", "user/films"), **hub.environment(tmp_path))
    _refused(done, f"status {status.value}")
    assert hub.repositories == {}


def test_no_token_wrong_token_no_network_are_one_line(
    run: Run, tiny: Path, hub: Hub, groundup: Groundup, tmp_path: Path
) -> None:
    arguments = _arguments(run, tiny, "--repo", "user/films")
    _refused(groundup(*arguments, **hub.environment(tmp_path, token=None)), "hf auth login")
    assert hub.requests == []
    _refused(groundup(*arguments, **hub.environment(tmp_path, token="hf_wrong")), "may write to user/films")
    _refused(
        groundup(*arguments, **hub.environment(tmp_path) | {"HF_HUB_OFFLINE": "1"}), "unset HF_HUB_OFFLINE"
    )
    nobody = hub.environment(tmp_path) | {"HF_ENDPOINT": "http://127.0.0.1:9"}
    _refused(groundup(*arguments, **nobody), "check the network")


@pytest.mark.parametrize("first", range(4))
def test_a_hub_that_is_out_of_order_is_asked_again(
    run: Run, tiny: Path, hub: Hub, groundup: Groundup, tmp_path: Path, first: int
) -> None:
    """Every request fails once, each kind of request in each way."""
    ways = [
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
        None,
        HTTPStatus.INTERNAL_SERVER_ERROR,
    ]
    hub.faults = itertools.cycle(ways[first:] + ways[:first])
    done = groundup(*_arguments(run, tiny, "--repo", "user/films"), **hub.environment(tmp_path))
    assert done.returncode == 0, done.stderr
    repository = hub.repositories["user/films"]
    assert len(repository.commits) == 2 and set(repository.files) - {"generation_config.json"} == PUSHED
    uploads = [request for request in hub.requests if request.startswith("PUT /lfs/upload")]
    assert len(uploads) == 2 * len(set(uploads)), "what has arrived is not sent again"
    again = groundup(*_arguments(run, tiny, "--repo", "user/films"), **hub.environment(tmp_path))
    assert again.returncode == 0 and len(repository.commits) == 2, again.stderr


def test_a_hub_that_stays_out_of_order_ends_the_push(
    run: Run, tiny: Path, hub: Hub, groundup: Groundup, tmp_path: Path
) -> None:
    hub.refuse_writes = HTTPStatus.SERVICE_UNAVAILABLE
    done = groundup(*_arguments(run, tiny, "--repo", "user/films"), **hub.environment(tmp_path))
    _refused(done, "the Hub answers with status 503; run the same command again later")
    assert hub.requests.count("POST /api/repos/create") == 5


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], "no repository is named"),
        (["--repo", "films"], "not of the form user/name"),
        (["--repo", "a/b/c"], "not of the form user/name"),
        (["--repo", "user/fil ms"], "no valid name"),
        (["--repo", "user/films", "--task", "sentimint"], "did you mean 'sentiment'?"),
        (["--repo", "user/films", "--task", "all"], "one task at a time"),
        (["--repo", "user/films", "--task", "qa"], "run groundup finetune --task qa first"),
        (["--repo", "user/films", "--task", "dpo"], "run groundup align first"),
    ],
)
def test_wrong_names_are_refused(
    run: Run, tiny: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    assert main(_arguments(run, tiny, *more, "--dry-run")) == 2
    said = capsys.readouterr()
    assert words in said.err and len(said.err.splitlines()) == 1 and not said.out


def test_unfinished_and_damaged_models_are_refused(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(load_recipe(str(tiny)), tmp_path)
    capsys.readouterr()
    arguments = _arguments(run, tiny, "--repo", "user/films", "--dry-run")
    artifact = run.artifact("pretrain")

    def refused(words: str) -> None:
        assert main(arguments) == 2
        said = capsys.readouterr()
        assert words in said.err and len(said.err.splitlines()) == 1 and not said.out

    weights = artifact.path / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    refused("its checksum is not that of the finished stage")
    weights.unlink()
    refused("the file is gone")
    weights.write_bytes(content)
    assert main(arguments) == 0
    capsys.readouterr()
    manifest = read_json(artifact.path / "manifest.json")
    write_json(artifact.path / "manifest.json", {**manifest, "complete": False})
    refused("it has not been finished")


def test_manifest_on_the_hub_names_no_directory_of_this_machine(run: Run, tiny: Path, tmp_path: Path) -> None:
    from pipeline.publish.hub import Wish, _uploads

    content = _uploads(
        Run(dataclasses.replace(run.recipe), run.runs), "finetune/sentiment", "user/films", Wish()
    )
    manifest = content["manifest.json"]
    assert isinstance(manifest, bytes) and b"reviews.csv" in manifest
    assert str(tiny.parent).encode() not in manifest
