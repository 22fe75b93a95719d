"""Parts of a source: read each on its own, they are the whole; and files without a row among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import GroundupError
from pipeline.sources import Row, parts, read, read_splits


def _write(directory: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content, "utf-8")
    return directory


def _of_parts(spec: str) -> list[Row]:
    return [row for part in parts(spec) for row in read(part)]


def test_the_parts_of_a_directory_are_its_files(tmp_path: Path) -> None:
    files = {
        "a.csv": "text\none\ntwo\n",
        "b/c.jsonl": '{"text": "three"}\n',
        "b/d.txt": "four\n",
        "e.py": "five = 5\n",
    }
    spec = str(_write(tmp_path, files))
    assert len(parts(spec)) == 4
    assert _of_parts(spec) == list(read(spec)) and len(list(read(spec))) == 5


@pytest.mark.parametrize("spec", ["package:django/**/locale/fr/**/*.po", "package:sklearn/linear_model/*.py"])
def test_the_parts_of_a_package_have_its_rows_and_licence(spec: str) -> None:
    rows = list(read(spec))
    assert _of_parts(spec) == rows and rows[0].licence and len(parts(spec)) > 1


@pytest.mark.parametrize("name", ["a.txt", "odd [x]*.txt"])
def test_one_file_is_one_part(tmp_path: Path, name: str) -> None:
    _write(tmp_path, {name: "text"})
    assert parts(str(tmp_path / name)) == [str(tmp_path / name)]
    assert _of_parts(str(tmp_path)) == list(read(str(tmp_path))) != []


def test_an_installed_collection_is_one_part() -> None:
    assert parts("installed:chitchat") == ["installed:chitchat"]


def test_a_part_has_itself_as_its_part(tmp_path: Path) -> None:
    (part, _) = parts(str(_write(tmp_path, {"a.txt": "a", "b.txt": "b"})))
    assert parts(part) == [part]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.docx": "x"}, "no readable file there"),
        ({"a.txt": "", "b.csv": ""}, "none of the files there has a row"),
    ],
)
def test_a_directory_without_rows_is_refused(tmp_path: Path, files: dict[str, str], words: str) -> None:
    spec = str(_write(tmp_path, files))
    for function in (parts, lambda spec: list(read(spec))):
        with pytest.raises(GroundupError, match=words):
            function(spec)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("no.csv", "no such file"),
        ("installed:chitchta", "did you mean 'chitchat'"),
        ("package:no_such/*", "not installed"),
    ],
)
def test_parts_of_what_is_not_there(spec: str, words: str) -> None:
    with pytest.raises(GroundupError, match=words):
        parts(spec)


def test_files_without_rows_are_passed_over_below_a_directory(tmp_path: Path) -> None:
    empty = {
        "b.csv": "",
        "c.csv": "text\n",
        "d.json": "[]",
        "e.jsonl": "\n",
        "f.parquet": "",
        "g.txt": " \n",
        "h.py": "",
    }
    spec = str(_write(tmp_path, {"a.txt": "one", **empty}))
    rows = list(read(spec))
    assert [row.values["text"] for row in rows] == ["one"] and _of_parts(spec) == rows
    for name in empty:
        with pytest.raises(GroundupError, match=f"{name}: the file (has no rows|is empty)"):
            list(read(str(tmp_path / name)))


def test_hidden_files_and_directories_are_no_data(tmp_path: Path) -> None:
    files = {"a.py": "one", ".b.py": "two", ".venv/lib/c.py": "three", "d/.git/e.txt": "four"}
    assert [row.values["text"] for row in read(str(_write(tmp_path, files)))] == ["one"]


def test_code_beside_the_data_of_a_task_is_not_read(tmp_path: Path) -> None:
    data = {
        "train.csv": "text\none\n",
        "test.csv": "text\ntwo\n",
        "load.py": "three",
        "page.html": "<p>four</p>",
    }
    training, held_out = read_splits(str(_write(tmp_path, data)))
    assert held_out is not None
    assert [row.values["text"] for row in [*training, *held_out]] == ["one", "two"]
    (tmp_path / "test.csv").unlink()
    assert [row.values["text"] for row in read_splits(str(tmp_path))[0]] == ["one"]


def test_code_alone_is_a_row_a_file(tmp_path: Path) -> None:
    code = {"a.py": "one = 1\n", "b.rs": "fn two() {}\n", "c.JS": "let three\n"}
    rows = list(read_splits(str(_write(tmp_path, code)))[0])
    assert [row.values["text"] for row in rows] == list(code.values())
