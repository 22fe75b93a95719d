"""Compressed files: the same rows, and one clear error where they are cut off or damaged."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from pipeline.errors import GroundupError
from pipeline.sources import read
from pipeline.sources.base import suffix_of

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}
UNIT = '<tmx><body><tu><tuv xml:lang="en"><seg>four</seg></tuv><tuv xml:lang="zh"><seg>四</seg></tuv></tu></body></tmx>'
CONTENTS = {
    "a.csv": "text,label\none,x\n四,y\n",
    "a.tsv": "text\tlabel\none\tx\n四\ty\n",
    "a.jsonl": '{"text": "one"}\n{"text": "四"}\n',
    "a.ndjson": '{"text": "one"}\n{"text": "四"}\n',
    "a.json": '[{"text": "one"}, {"text": "四"}]',
    "a.txt": "one\n四\n",
    "a.md": "# one\n",
    "a.py": "one = '四'\n",
    "a.tmx": UNIT,
}


def _values(path: Path) -> list[dict[str, Any]]:
    return [dict(row.values) for row in read(str(path))]


@pytest.mark.parametrize("packed", PACKERS)
@pytest.mark.parametrize("name", CONTENTS)
def test_a_compressed_file_has_the_rows_of_the_plain_one(tmp_path: Path, name: str, packed: str) -> None:
    content = CONTENTS[name].encode()
    (tmp_path / name).write_bytes(content)
    (tmp_path / (name + packed)).write_bytes(PACKERS[packed](content))
    assert _values(tmp_path / (name + packed)) == _values(tmp_path / name) != []


@pytest.mark.parametrize("packed", PACKERS)
def test_files_of_several_compressed_parts_are_read_whole(tmp_path: Path, packed: str) -> None:
    lines = [f'{{"text": "{n}"}}\n'.encode() for n in range(5)]
    path = tmp_path / f"a.jsonl{packed}"
    path.write_bytes(b"".join(PACKERS[packed](line) for line in lines))
    assert [values["text"] for values in _values(path)] == list("01234")


def test_zstandard_frames_without_content_are_no_end(tmp_path: Path) -> None:
    pack, skippable = PACKERS[".zst"], b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    (tmp_path / "a.txt.zst").write_bytes(skippable + pack(b"one ") + pack(b"") + skippable + pack(b"two"))
    assert [values["text"] for values in _values(tmp_path / "a.txt.zst")] == ["one two"]


@pytest.mark.parametrize("packed", PACKERS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_an_error_that_names_it(tmp_path: Path, packed: str, share: float) -> None:
    noise = random.Random(0)
    content = "".join(f'{{"text": "{noise.random()}"}}\n' for _ in range(20_000)).encode()
    whole = PACKERS[packed](content)
    path = tmp_path / f"a.jsonl{packed}"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(
        GroundupError, match=rf"a\.jsonl\{packed}: the compressed file ends too early; download"
    ):
        list(read(str(path)))


@pytest.mark.parametrize("packed", PACKERS)
@pytest.mark.parametrize("damage", ["inside", "no such format", "rest"])
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, packed: str, damage: str) -> None:
    whole = bytearray(PACKERS[packed](bytes(random.Random(0).choices(b"abcdefgh \n", k=200_000))))
    whole[len(whole) // 2 : len(whole) // 2 + 50] = b"\xff" * 50
    contents = {
        "inside": bytes(whole),
        "no such format": b"text\n",
        "rest": PACKERS[packed](b"text\n") + b"and no more of it",
    }
    path = tmp_path / f"a.txt{packed}"
    path.write_bytes(contents[damage])
    with pytest.raises(GroundupError, match=rf"a\.txt\{packed}.*(damaged compression|is not UTF-8)"):
        list(read(str(path)))


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.JSONL.GZ", ".jsonl.gz"),
        ("a.b.txt", ".txt"),
        ("a.gz", ".gz"),
        ("a.v2.csv.zst", ".csv.zst"),
        ("a", ""),
    ],
)
def test_the_suffix_before_the_compression_names_the_format(name: str, suffix: str) -> None:
    assert suffix_of(Path(name)) == suffix


@pytest.mark.parametrize("name", ["a.gz", "a.parquet.gz", "a.docx.zst"])
def test_what_has_no_format_inside_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(GroundupError, match=r"is no format that can be read; use one of .*\.csv"):
        list(read(str(tmp_path / name)))


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz", "a.txt.zst"])
def test_what_unpacks_to_far_more_than_text_does_is_refused(tmp_path: Path, name: str) -> None:
    zeros = b"0" * 2**20
    with (tmp_path / name).open("wb") as file:
        writer: Any = (
            gzip.GzipFile(fileobj=file, mode="wb")
            if name.endswith(".gz")
            else zstandard.ZstdCompressor().stream_writer(file, closefd=False)
        )
        with writer:
            for _ in range(300):
                writer.write(zeros)
    with pytest.raises(
        GroundupError, match="unpacks to more than 200 times its size, as no text does; take it"
    ):
        for _ in read(str(tmp_path / name)):
            pass
