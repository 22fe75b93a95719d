"""Plain text: a file a row, and very long files a block of paragraphs a row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.sources.base import Row, decoded_lines, reads_files

BLOCK_CHARACTERS = 1_000_000
"""A row never holds much more than this, so that memory stays flat on files of any length."""


@reads_files(".txt", ".md", ".rst")
def read_text(path: Path) -> Iterator[Row]:
    """Columns ``text``, and ``label``, the name of the directory that the file lies in."""
    block: list[str] = []
    size, start = 0, 1
    for number, line in enumerate(decoded_lines(path), start=1):
        if (size >= BLOCK_CHARACTERS and not line.strip()) or size >= 2 * BLOCK_CHARACTERS:
            yield _row(path, block, start)
            block, size, start = [], 0, number
        block.append(line)
        size += len(line)
    if "".join(block).strip():
        yield _row(path, block, start)


def _row(path: Path, lines: list[str], start: int) -> Row:
    return Row({"text": "".join(lines), "label": path.parent.name}, f"{path} line {start}")
