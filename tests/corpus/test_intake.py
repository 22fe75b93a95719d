"""How sources are divided into what one task reads."""

from __future__ import annotations

from pathlib import Path

from pipeline.corpus.intake import divided
from pipeline.corpus.layout import CHUNK_CHARACTERS
from pipeline.recipe import Corpus


def test_small_files_are_read_together_and_large_ones_alone(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"a{number:02}.txt").write_text("x" * (number % 5))
    for name in ("b.txt", "c.txt"):
        (tmp_path / name).write_text("x" * CHUNK_CHARACTERS)
    parts = divided(Corpus(sources=(str(tmp_path),)))
    assert [len(part.specs) for part in parts] == [51, 1]


def test_the_text_to_read_is_divided_by_weight_and_by_size(tmp_path: Path) -> None:
    for name, size in (("one/a.txt", 1), ("one/b.txt", 3), ("two.txt", 5)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size * CHUNK_CHARACTERS)
    sources = (str(tmp_path / "one"), str(tmp_path / "two.txt"))
    parts = divided(Corpus(sources=sources, weights=(1.0, 3.0), megabytes=16.0))
    assert [part.characters for part in parts] == [1e6, 3e6, 12e6]
    assert all(part.characters == float("inf") for part in divided(Corpus(sources=sources)))
