"""Text that a task is measured on and that must not be trained on (Brown et al., 2020, appendix C)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from pipeline.artifacts import replacing
from pipeline.corpus.layout import read_lines
from pipeline.evaluate.scripts import words


class Contaminants:
    """The passages of a fixed number of words that held-out texts consist of.

    Args:
        texts: of held-out examples; those shorter than a passage cannot be recognised.
        length: words in a passage. Case and punctuation make no difference.
    """

    def __init__(self, texts: Iterable[str], length: int) -> None:
        self.length = length
        self.passages = {mark for text in texts for mark in self._passages(text)}

    def are_in(self, text: str) -> bool:
        """Whether a text shares a passage with a held-out one."""
        return bool(self.passages) and not self.passages.isdisjoint(self._passages(text))

    def _passages(self, text: str) -> Iterator[int]:
        """Hashes that are good within one process."""
        found = words(text)
        return map(hash, zip(*(found[start:] for start in range(self.length)), strict=False))


def write_contaminants(file: Path, texts: Iterable[str]) -> None:
    """Keep the texts, each once, for the processes that look for them."""
    with replacing(file) as beside, beside.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(text) + "\n" for text in dict.fromkeys(texts))


def read_contaminants(file: Path, length: int) -> Contaminants:
    """What was kept, once in each process; nothing for a length of 0."""
    return _read(file, file.stat().st_mtime_ns, length) if length else Contaminants((), length)


@lru_cache(maxsize=1)
def _read(file: Path, _written: int, length: int) -> Contaminants:
    return Contaminants(read_lines(file), length)
