"""What is the same in every table of bad input."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow
import pyarrow.parquet


@dataclass(frozen=True)
class Case:
    """A file, and what is said of it."""

    name: str
    file: str
    content: str | bytes
    words: str
    """Some of the one sentence, the place beside the file's name included."""
    more: tuple[str, ...] = ()
    """Arguments."""
    task: str = ""
    """Empty: the raw text of pre-training."""


def lines(*rows: Any) -> str:
    """JSON Lines; a text stands as it is."""
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def packed(text: str) -> bytes:
    """A text under gzip, the same bytes every time."""
    return gzip.compress(text.encode(), mtime=0)


def parquet(columns: Sequence[Any], names: Sequence[str]) -> bytes:
    """A Parquet file."""
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(list(columns), names=list(names)), file)
    return file.getvalue()


def not_utf8(bad: bytes) -> pyarrow.Array:
    """A column of text with one value, which is none."""
    offsets = b"".join(n.to_bytes(4, "little") for n in (0, len(bad)))
    return pyarrow.Array.from_buffers(
        pyarrow.string(), 1, [None, pyarrow.py_buffer(offsets), pyarrow.py_buffer(bad)]
    )


PROSE = "\n\n".join(
    f"Paragraph {n} says that the {word} was found in the harbour by {n + 3} people, who liked it very much."
    for n in range(40)
    for word in ("film", "story")
)
REVIEWS = "".join(f"this was {word} {n},{word}\n" for n in range(20) for word in ("good", "bad"))
DEEP = "[" * 100_000 + "]" * 100_000
HALF = '"\\ud800"'
"""JSON of half a surrogate pair."""
