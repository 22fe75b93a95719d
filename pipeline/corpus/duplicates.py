"""Exact duplicates by hash; near duplicates by MinHash and locality-sensitive hashing (Broder, 1997)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import rensa

from pipeline.evaluate.split import normal

_PERMUTATIONS = 128
_WORDS = 5
_CANDIDATE_RECALL = 0.99
"""Chance that a pair at the threshold becomes a candidate; candidates are then compared by their sketches."""

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|\w+")  # scripts without spaces: a character is a word


class Exact:
    """Remembers texts by 16 bytes each."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()

    def is_new(self, text: str) -> bool:
        """Whether no text seen before is the same to a reader; the text counts as seen from now on."""
        mark = hashlib.blake2b(normal(text).encode(), digest_size=16).digest()
        known = mark in self.seen
        self.seen.add(mark)
        return not known


class Near:
    """Remembers sketches of texts.

    Args:
        threshold: Jaccard similarity of word 5-grams above which two texts are near duplicates. The
            sketches of 128 hashes estimate it with a standard error of at most 0.045.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.index = rensa.RMinHashLSH(threshold, _PERMUTATIONS, bands(threshold))
        self.sketches: list[rensa.RMinHash] = []

    def are_new(self, texts: Sequence[str]) -> list[bool]:
        """For each text in order, whether no text before it is near; new ones are remembered."""
        sketches = rensa.RMinHash.from_token_sets(
            [shingles(t) for t in texts], num_perm=_PERMUTATIONS, seed=1
        )
        return [self._is_new(sketch) for sketch in sketches]

    def _is_new(self, sketch: rensa.RMinHash) -> bool:
        near = any(sketch.jaccard(self.sketches[key]) >= self.threshold for key in self.index.query(sketch))
        if not near:
            self.index.insert(len(self.sketches), sketch)
            self.sketches.append(sketch)
        return not near


def bands(threshold: float) -> int:
    """The fewest bands b of r = 128 / b rows with 1 - (1 - s^r)^b at least 0.99 at the threshold s."""
    choices = [b for b in range(1, _PERMUTATIONS + 1) if _PERMUTATIONS % b == 0]
    return next(b for b in choices if 1 - (1 - threshold ** (_PERMUTATIONS / b)) ** b >= _CANDIDATE_RECALL)


def shingles(text: str) -> list[str]:
    """Word 5-grams of a text; of a shorter one the text itself."""
    words = _WORD.findall(text.casefold())
    return [" ".join(words[i : i + _WORDS]) for i in range(max(1, len(words) - _WORDS + 1))]
