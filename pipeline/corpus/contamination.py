"""Text that a task is measured on and that must not be trained on (Brown et al., 2020, appendix C)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipeline.artifacts import replacing
from pipeline.corpus.layout import read_lines
from pipeline.corpus.pages import Hashes, run_hashes, word_hashes
from pipeline.evaluate.scripts import words

_ROOM = 32
"""Places of the table for each passage: so one look in so many meets a place that is taken by another."""


class Contaminants:
    """The passages of a fixed number of words that held-out texts consist of, by hashes of 64 bits.

    Args:
        texts: of held-out examples; those shorter than a passage cannot be recognised.
        length: words in a passage. Case and punctuation make no difference.
    """

    def __init__(self, texts: Iterable[str], length: int) -> None:
        self.length = length
        self.known = np.unique(np.concatenate([np.empty(0, np.uint64), *map(self._passages, texts)]))
        self.shift = np.uint64(64 - max(1, _ROOM * len(self.known)).bit_length())
        self.taken = np.zeros(1 << (64 - int(self.shift)), dtype=bool)
        self.taken[self.known >> self.shift] = True

    def are_in(self, text: str) -> bool:
        """Whether a text shares a passage with a held-out one."""
        if not len(self.known):
            return False
        passages = self._passages(text)
        likely = passages[self.taken[passages >> self.shift]]
        places = np.minimum(np.searchsorted(self.known, likely), len(self.known) - 1)
        return bool((self.known[places] == likely).any())

    def _passages(self, text: str) -> Hashes:
        """A hash of every passage."""
        return run_hashes(word_hashes(words(text)), self.length)


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
