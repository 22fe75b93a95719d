"""Text that a task is measured on and that must not be trained on (Brown et al., 2020, appendix C)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import replacing
from pipeline.corpus.layout import read_lines
from pipeline.corpus.pages import Hashes, run_hashes, word_hashes
from pipeline.evaluate.scripts import words

_ROOM = 32
"""Places of the table for each passage: so one look in so many meets a place that is taken by another."""
_LARGEST = 26
"""Bits of a place in the table, at most: 64 MB. With more passages than fit, looks meet others oftener."""


class Contaminants:
    """The passages of a fixed number of words that held-out texts consist of, by hashes of 64 bits.

    Args:
        texts: of held-out examples; those shorter than a passage cannot be recognised.
        length: words in a passage. Case and punctuation make no difference.
    """

    def __init__(self, texts: Iterable[str], length: int) -> None:
        self.length = length
        self.known = np.unique(np.concatenate([np.empty(0, np.uint64), *map(self._passages, texts)]))
        self.shift = np.uint64(64 - min(_LARGEST, max(1, _ROOM * len(self.known)).bit_length()))
        self.taken = np.zeros(1 << (64 - int(self.shift)), dtype=bool)
        self.taken[self.known >> self.shift] = True

    def are_in(self, text: str) -> bool:
        """Whether a text shares a passage with a held-out one."""
        return bool(len(self.shared_with(text)))

    def shared_with(self, text: str) -> Hashes:
        """The passages that a text shares with held-out ones."""
        if not len(self.known):
            return self.known
        passages = self._passages(text)
        likely = passages[self.taken[passages >> self.shift]]
        places = np.minimum(np.searchsorted(self.known, likely), len(self.known) - 1)
        return likely[self.known[places] == likely]

    def _passages(self, text: str) -> Hashes:
        """A hash of every passage."""
        return run_hashes(word_hashes(words(text)), self.length)


def overlap(texts: Sequence[str], others: Iterable[str], length: int) -> NDArray[np.bool_]:
    """Of each text whether it shares a passage with any of the others, of whom none but those passages are kept."""
    known = Contaminants(texts, length)
    shared = set(chain.from_iterable(known.shared_with(other).tolist() for other in others))
    return np.array([not shared.isdisjoint(known.shared_with(text).tolist()) for text in texts], dtype=bool)


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
