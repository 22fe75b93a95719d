"""The data sheet of a corpus on the Hub: counts and licences, none of the text, no directory of this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard

from pipeline.artifacts import read_json
from pipeline.cli import _settings, main
from pipeline.publish.datasheet import _size
from pipeline.stages import Run
from pipeline.verbs import VERBS
from tests.command_line import Groundup
from tests.hub_server import hub_server
from tests.hub_store import Hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A stand-in Hub without a repository."""
    with hub_server() as hub:
        yield hub


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the tiny recipe with its corpus, which drops what is short."""
    runs = tmp_path_factory.mktemp("sheet")
    arguments = ["--recipe", str(tiny), "--runs", str(runs), "--corpus.minimum-characters", "85"]
    run = Run(_settings("pretrain", VERBS["pretrain"], arguments)[1], runs)
    run.finish("corpus")
    return run


def test_a_data_sheet_is_pushed_as_a_data_set(
    run: Run, tiny: Path, hub: Hub, groundup: Groundup, tmp_path: Path
) -> None:
    arguments = ["--recipe", tiny, "--runs", run.runs, "--datasheet", "--repo", "user/texts"]
    done = groundup("publish", *arguments, **hub.environment(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"published: {hub.url}/datasets/user/texts (private)" in done.stdout and hub.repositories == {}
    files = hub.datasets["user/texts"].files
    assert set(files) == {".gitattributes", "README.md", "metrics.json", "manifest.json"}
    card = files["README.md"].content.decode()
    data = DatasetCard(card).data
    assert (data.language, data.size_categories, data.tags) == ("en", "n<1K", ["groundup", "datasheet"])

    counted = json.loads(files["metrics.json"].content)
    assert counted["documents"] == run.artifact("corpus").metrics()["documents"]
    assert set(counted["sources"]) == {"corpus.txt", "reviews.csv"}
    assert "- `corpus.txt`: " in card and "| corpus.txt | the publisher's own data |" in card
    assert "- too_short: " in card
    dropped = [
        sample["text"]
        for kind in read_json(run.artifact("corpus").path / "dropped.json").values()
        for sample in kind
    ]
    assert dropped and all(text[:40] not in card for text in dropped)
    assert all(str(tiny.parent).encode() not in blob.content for blob in files.values())


def test_what_cannot_be_published_is_one_line(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["publish", "--recipe", str(tiny), "--runs", str(tmp_path), "--datasheet", "--dry-run"]
    for repo, words in (("texts", "not of the form user/name"), ("user/texts", "there is no corpus yet")):
        assert main([*arguments, "--repo", repo]) == 2
        said = capsys.readouterr()
        assert words in said.err and len(said.err.splitlines()) == 1 and not said.out


def test_sizes_have_the_names_of_the_hub() -> None:
    assert [_size(n) for n in (3, 1000, 34_297, 10**9, 10**12)] == [
        "n<1K", "1K<n<10K", "10K<n<100K", "1B<n<10B", "n>1T",
    ]  # fmt: skip
