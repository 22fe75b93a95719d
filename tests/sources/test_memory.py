"""Reading holds a few rows and never the file."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from pipeline.sources import read

MEGABYTES = 12
MOST = 3_000_000


@pytest.fixture(scope="module")
def texts() -> list[str]:
    noise = random.Random(0)
    words = ["".join(noise.choices("abcdefghij", k=7)) for _ in range(3000)]
    return [" ".join(noise.choices(words, k=500)) for _ in range(MEGABYTES * 250)]


def _csv(texts: list[str]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows([["text"], *([text] for text in texts)])
    return file.getvalue()


def _tmx(texts: list[str]) -> str:
    units = (f'<tu><tuv xml:lang="en"><seg>{text}</seg></tuv></tu>\n' for text in texts)
    return f"<tmx><body>{''.join(units)}</body></tmx>"


def _json_lines(texts: list[str]) -> str:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts)


FORMATS: dict[str, Callable[[list[str]], str]] = {
    "a.jsonl": _json_lines,
    "a.jsonl.gz": _json_lines,
    "a.jsonl.zst": _json_lines,
    "a.json": _json_lines,
    "a.csv": _csv,
    "a.txt": "\n\n".join,
    "one_line.txt": " ".join,
    "a.tmx": _tmx,
}


@pytest.mark.parametrize("name", FORMATS)
def test_memory_stays_flat(
    tmp_path: Path, name: str, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.sources.text_files.BLOCK_CHARACTERS", 200_000)
    content = FORMATS[name](texts).encode()
    packers = {".gz": lambda b: gzip.compress(b, 1), ".zst": zstandard.ZstdCompressor().compress}
    (tmp_path / name).write_bytes(packers.get(Path(name).suffix, bytes)(content))
    tracemalloc.start()
    try:
        characters = sum(len(text) for row in read(str(tmp_path / name)) for text in row.values.values())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert characters >= MEGABYTES * 900_000 and peak < MOST


def test_a_row_group_is_not_read_whole(tmp_path: Path, texts: list[str]) -> None:
    table = pyarrow.table({"text": texts})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet", compression="none", use_dictionary=False)
    del table
    before = pyarrow.total_allocated_bytes()
    most = max(pyarrow.total_allocated_bytes() - before for _ in read(str(tmp_path / "a.parquet")))
    assert most < MEGABYTES * 800_000
