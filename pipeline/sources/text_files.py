"""Plain text: a file a row, and very long files a block of paragraphs a row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.sources.base import Row, reads_files
from pipeline.sources.opening import decoded_lines

BLOCK_CHARACTERS = 1_000_000
"""A row never holds much more than this, so that memory stays flat on files of any length, and of any line."""

SOURCE_CODE = (
    ".bash", ".c", ".cc", ".clj", ".cpp", ".cs", ".css", ".cu", ".cxx", ".dart", ".erl", ".ex", ".exs", ".f90",
    ".fs", ".go", ".h", ".hpp", ".hs", ".java", ".jl", ".js", ".jsx", ".kt", ".lisp", ".lua", ".m", ".ml", ".mjs",
    ".nim", ".php", ".pl", ".pm", ".proto", ".ps1", ".py", ".pyi", ".pyx", ".r", ".rb", ".rkt", ".rs", ".scala",
    ".scm", ".scss", ".sh", ".sql", ".svelte", ".swift", ".tex", ".ts", ".tsx", ".v", ".vb", ".vhd", ".vue", ".zig",
)  # fmt: skip
"""What people write; no settings, data or generated files, which teach a model little."""


@reads_files(*SOURCE_CODE, compressed=True, beside_data=True)
@reads_files(".txt", ".md", ".rst", compressed=True)
def read_text(path: Path) -> Iterator[Row]:
    """Columns ``text``, and ``label``, the name of the directory that the file lies in."""
    block: list[str] = []
    size, number, start = 0, 1, 1
    for line in decoded_lines(path, longest=BLOCK_CHARACTERS):
        if (size >= BLOCK_CHARACTERS and not line.strip()) or size + len(line) > 2 * BLOCK_CHARACTERS:
            yield _row(path, block, start)
            block, size, start = [], 0, number
        block.append(line)
        size += len(line)
        number += line.endswith("\n")
    if "".join(block).strip():
        yield _row(path, block, start)


def _row(path: Path, lines: list[str], start: int) -> Row:
    return Row({"text": "".join(lines), "label": path.parent.name}, f"{path} line {start}")
