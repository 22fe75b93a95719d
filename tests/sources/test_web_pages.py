"""Web pages and archives of them: main text, host, licence; and what is passed over or refused."""

from __future__ import annotations

import gzip
import importlib.util
import io
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import GroundupError
from pipeline.sources import parts, read
from tests.command_line import ROOT

needs_library = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("trafilatura", "warcio", "lxml_html_clean")),
    reason="the extra web is not installed",
)
LICENCE = '<p><a rel="license" href="https://creativecommons.org/licenses/by/4.0/">CC BY 4.0</a></p>'


def _page(name: str, more: str = "") -> bytes:
    paragraph = f"<p>{' '.join([f'The story of {name} is long enough to be a text of its own.'] * 4)}</p>"
    head = f"<head><title>{name}</title></head>"
    menu = "<nav><ul><li><a href='/'>Home</a></li><li><a href='/shop'>Shop</a></li></ul></nav>"
    return f"<html>{head}<body>{menu}<article>{paragraph * 4}{more}</article></body></html>".encode()


PAGES = [
    ("https://Ann.org/1", "200 OK", "text/html; charset=utf-8", _page("Ann", LICENCE)),
    ("https://ann.org/2", "404 Not Found", "text/html", _page("Nobody")),
    ("https://bob.org/a.png", "200 OK", "image/png", b"\x89PNG"),
    ("https://bob.org/empty", "200 OK", "text/html", b""),
    ("https://bob.org/junk", "200 OK", "text/html", bytes(range(256))),
    (
        "https://bob.org/3",
        "200 OK",
        "application/xhtml+xml; charset=latin-1",
        _page("Bo").replace(b"Bo", b"B\xf6"),
    ),
    ("https://bob.org/4", "200 OK", "text/html; charset=rot13", _page("Cy")),
]


def _archive(path: Path, *, packed: bool = False, damaged: bool = False) -> Path:
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=packed)
        writer.write_record(writer.create_warcinfo_record("a.warc", {"software": "a test"}))
        for url, status, kind, content in PAGES:
            headers = [("Content-Type", kind), *([("Content-Encoding", "gzip")] if damaged else [])]
            answer = StatusAndHeaders(status, headers, protocol="HTTP/1.1")
            body = gzip.compress(content)
            body = body[:30] + b"\xff" * 40 if damaged and url.endswith("1") else body if damaged else content
            record = writer.create_warc_record(
                url, "response", payload=io.BytesIO(body), http_headers=answer,
                warc_headers_dict={"WARC-Date": "2024-05-06T07:08:09Z"},
            )  # fmt: skip
            writer.write_record(record)
    return path


@needs_library
@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz"])
def test_an_archive_is_a_row_a_page_with_text(tmp_path: Path, name: str) -> None:
    path = _archive(tmp_path / name, packed=name.endswith("gz"))
    rows = list(read(str(path)))
    assert [row.place for row in rows] == [
        f"{path} record 2 https://Ann.org/1",
        f"{path} record 7 https://bob.org/3",
        f"{path} record 8 https://bob.org/4",
    ]
    assert [row.group for row in rows] == ["ann.org", "bob.org", "bob.org"]
    assert [row.licence for row in rows] == ["CC BY 4.0", "", ""]
    assert set(rows[0].values) == {"text", "url", "date"} and rows[0].values["date"] == "2024-05-06"
    assert rows[0].values["url"] == "https://Ann.org/1"
    assert "Shop" not in rows[0].values["text"] and "The story of Bö is" in rows[1].values["text"]


@needs_library
def test_a_page_is_a_row_and_one_without_text_none(tmp_path: Path) -> None:
    stated = b'<meta property="article:published_time" content="2020-01-02"></head>'
    (tmp_path / "a.html").write_bytes(_page("Ann", LICENCE).replace(b"</head>", stated))
    (tmp_path / "b.htm.gz").write_bytes(gzip.compress(_page("Bob")))
    (tmp_path / "c.html").write_text("<html><body></body></html>")
    (tmp_path / "d.txt").write_text("text")
    rows = list(read(str(tmp_path)))
    assert [row.place for row in rows[:2]] == [str(tmp_path / "a.html"), str(tmp_path / "b.htm.gz")]
    assert rows[0].licence == "CC BY 4.0" and "Ann" in rows[0].values["text"] and len(rows) == 3
    assert [row.values["date"] for row in rows[:2]] == ["2020-01-02", ""]
    assert [row for part in parts(str(tmp_path)) for row in read(part)] == rows
    with pytest.raises(GroundupError, match=r"c\.html: the file has no rows"):
        list(read(str(tmp_path / "c.html")))


@needs_library
def test_a_page_of_an_address_that_is_none_has_no_group(tmp_path: Path) -> None:
    path = _archive(tmp_path / "a.warc")
    path.write_bytes(path.read_bytes().replace(b"https://bob.org/4", b"https://[bob.org4"))
    rows = list(read(str(path)))
    assert [row.group for row in rows] == ["ann.org", "bob.org", ""]
    assert rows[2].values["url"] == "https://[bob.org4" and "Cy" in rows[2].values["text"]


@needs_library
def test_a_broken_page_is_passed_over(tmp_path: Path) -> None:
    rows = list(read(str(_archive(tmp_path / "a.warc", damaged=True))))
    assert [row.values["url"] for row in rows] == ["https://bob.org/3", "https://bob.org/4"]


@needs_library
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz"])
def test_an_archive_that_was_cut_off_is_an_error(tmp_path: Path, name: str, share: float) -> None:
    path = _archive(tmp_path / name, packed=name.endswith("gz"))
    content = path.read_bytes()
    path.write_bytes(content[: int((len(content) - 4) * share)])
    with pytest.raises(GroundupError, match=r"(ends inside this record\)|ends too early); download"):
        list(read(str(path)))


@needs_library
def test_what_is_no_archive_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.warc").write_text("<html></html>\n")
    with pytest.raises(GroundupError, match=r"a\.warc record 1: broken web archive"):
        list(read(str(tmp_path / "a.warc")))


WITHOUT = """
import sys
sys.modules["trafilatura"] = None
from pipeline.sources import read
print([row.values["text"] for row in read(sys.argv[1])])
try:
    read(sys.argv[1] + "/a.html.gz")
except Exception as error:
    print(error)
"""


def test_without_the_library_a_page_is_refused_and_a_directory_read(tmp_path: Path) -> None:
    (tmp_path / "a.html.gz").write_bytes(gzip.compress(_page("Ann")))
    (tmp_path / "b.txt").write_text("text")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows, error = done.stdout.splitlines()
    assert rows == "['text']"
    assert error.endswith(
        "nothing is installed that reads '.html.gz'; install what reads it with pip install 'groundup[web]'"
    )


@needs_library
@pytest.mark.parametrize("kind", ["", '<?xml version="1.0"?>'])
def test_entities_of_a_page_are_neither_followed_nor_expanded(tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret.txt").write_text("the secret of this machine")
    grows = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    declared = f'<!ENTITY a0 "boom"><!ENTITY file SYSTEM "file://{tmp_path}/secret.txt">{grows}'
    page = _page("Ann", "<p>&file; and &a9; stand here in a sentence that is long enough.</p>").decode()
    (tmp_path / "page.html").write_text(f"{kind}<!DOCTYPE html [{declared}]>{page}")
    (row,) = read(str(tmp_path / "page.html"))
    text = str(row.values["text"])
    assert "The story of Ann" in text and "stand here in a sentence" in text
    assert "secret of this machine" not in text and text.count("boom") <= 1 and len(text) < 5000
