"""What a document is recognised by: its hash, a sketch of its words, the hashes of its lines.

A sketch is a MinHash (Broder, 1997): the share of places in which two sketches agree estimates the Jaccard
similarity of the documents' word 5-grams. Bands of it (locality-sensitive hashing; Leskovec, Rajaraman and
Ullman, 2014, section 3.4) find the pairs that are worth comparing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import rensa
from numpy.typing import NDArray

from pipeline.evaluate.scripts import words
from pipeline.evaluate.split import hash_of, normal

_SHINGLE_WORDS = 5
_CANDIDATE_RECALL = 0.99
_MARGIN = 0.1
_LONGEST_SKETCH = 1024
_MOST_WORDS = 1_000_000
_NO_WORD = 0
LINE_CHARACTERS = 40
"""Shorter lines repeat by chance, in code above all."""

Hashes = NDArray[np.uint64]
Sketches = NDArray[np.uint32]
"""[documents, hashes]"""


@dataclass(frozen=True)
class Sketching:
    """How long sketches are and how they are divided, from what is asked of them.

    Args:
        threshold: Jaccard similarity above which two documents are near duplicates.
        false_positives: chance that a pair whose similarity is 0.1 lower counts as one.
    """

    threshold: float
    false_positives: float

    @cached_property
    def hashes(self) -> int:
        """The fewest hashes, in steps of 32, that keep the chance of a false positive."""
        lengths = range(32, _LONGEST_SKETCH, 32)
        low = self.threshold - _MARGIN
        return next((n for n in lengths if self._passes(low, n) <= self.false_positives), _LONGEST_SKETCH)

    @cached_property
    def rows(self) -> int:
        """Hashes in a band: the most with which a pair at the threshold shares a band with a chance of 0.99."""
        n = self.hashes
        return next(
            r
            for r in range(n, 0, -1)
            if 1 - (1 - self.threshold**r) ** (n // r) >= _CANDIDATE_RECALL or r == 1
        )

    def found(self, similarity: float) -> float:
        """Chance that a pair of this similarity counts as near duplicates."""
        shared = 1 - (1 - similarity**self.rows) ** (self.hashes // self.rows)
        return shared * self._passes(similarity, self.hashes)

    def _passes(self, similarity: float, hashes: int) -> float:
        """Chance that at least the threshold's share of the hashes agree."""
        from scipy.special import bdtrc  # scipy.stats would take each process that sketches seconds to import

        fewest = int(np.ceil(self.threshold * hashes - 1e-9))
        return float(bdtrc(fewest - 1, hashes, max(0.0, similarity)))

    def sketches(self, texts: Sequence[str]) -> Sketches:
        """MinHashes of texts."""
        flat, ends = _shingles(texts)
        matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(flat, ends, self.hashes, 1)
        return np.array(matrix.to_rows(), dtype=np.uint32).reshape(len(texts), self.hashes)

    def bands(self, sketches: Sketches) -> Hashes:
        """[documents, bands] hashes of the bands, the number of the band included."""
        count = self.hashes // self.rows
        parts = sketches[:, : count * self.rows].reshape(len(sketches), count, self.rows).astype(np.uint64)
        mixed = np.broadcast_to(np.arange(count, dtype=np.uint64), parts.shape[:2])
        for place in range(self.rows):
            mixed = _mix(mixed ^ parts[:, :, place])
        return mixed


def _mix(values: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele et al., 2014): every bit of the input changes half of the output's."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _shingles(texts: Sequence[str]) -> tuple[Hashes, Hashes]:
    """Hashes of the word 5-grams of texts, end to end, and where each text's end; words are added to short texts."""
    rows = [[*map(_word_hash, words(text))] or [hash_of(text)] for text in texts]
    rows = [row + [_NO_WORD] * (_SHINGLE_WORDS - len(row)) for row in rows]
    single = np.array([mark for row in rows for mark in row], dtype=np.uint64)
    counts = np.array([len(row) for row in rows], dtype=np.int64)
    mixed = single[: len(single) - _SHINGLE_WORDS + 1]
    for place in range(1, _SHINGLE_WORDS):
        mixed = _mix(mixed) ^ single[place : len(single) - _SHINGLE_WORDS + 1 + place]
    starts = np.cumsum(counts) - counts
    within = np.arange(len(single)) - np.repeat(starts, counts)
    whole = (within <= np.repeat(counts, counts) - _SHINGLE_WORDS)[: len(mixed)]
    return mixed[whole], np.cumsum([0, *(counts - _SHINGLE_WORDS + 1)]).astype(np.uint64)


@lru_cache(maxsize=_MOST_WORDS)
def _word_hash(word: str) -> int:
    return hash_of(word)


def document_hash(text: str) -> int:
    """Hash of a text as a reader sees it: case, white space and composed characters make no difference."""
    return hash_of(normal(text))


def long_lines(text: str) -> Iterator[tuple[int, int, int]]:
    """Number, hash and length of every line that is long enough to count as repeated."""
    for number, line in enumerate(text.split("\n")):
        stripped = line.strip()
        if len(stripped) >= LINE_CHARACTERS:
            yield number, hash_of(stripped.casefold()), len(stripped)
