"""A document as the filters see it: each view of its text is computed once, whoever asks first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.scripts import is_spaceless, words

_SPACELESS = frozenset({"zh", "ja", "th", "lo", "km", "my"})
_UNMARKED = frozenset({"th", "lo"})
_EMPTY_LINES = re.compile(r"\n{2,}")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio in 64 bits

Hashes = NDArray[np.uint64]

TERMINAL = frozenset(".!?…‽。！？．｡﹒﹖﹗।॥؟۔؞։።፧፨။៕៖᙮᠃᠉܀܁܂߹꓿꘎꘏⸮⁇⁈⁉‼")
"""Marks that end a sentence, in the scripts that have any (Sentence_Terminal of Unicode, common ones)."""


@dataclass(frozen=True)
class Page:
    """A document's text and its language (ISO 639-1, empty where unknown).

    Words are what stands between white space. Where a script puts none between words (Chinese, Japanese, Thai,
    Lao, Khmer, Burmese) they are single characters, two of which count as one word.
    """

    text: str
    language: str = ""

    @cached_property
    def is_spaceless(self) -> bool:
        """Whether words are characters; told by the language, else by the first letters."""
        if self.text.isascii():
            return False
        return self.language in _SPACELESS if self.language else is_spaceless([self.text])

    @property
    def has_sentence_marks(self) -> bool:
        """False for languages that end sentences by a space: rules about punctuation say nothing there."""
        return self.language not in _UNMARKED

    @cached_property
    def words(self) -> list[str]:
        """Words with their punctuation, or lower-cased characters without it; see the class."""
        return words(self.text) if self.is_spaceless else self.text.split()

    @property
    def units(self) -> int:
        """Entries of ``words`` that make one word."""
        return 2 if self.is_spaceless else 1

    @cached_property
    def word_count(self) -> int:
        """Number of words."""
        return len(self.words) // self.units

    @cached_property
    def longest_word(self) -> int:
        """Characters in the longest word."""
        return max(map(len, self.words), default=0)

    @cached_property
    def lowered(self) -> str:
        """The text in lower case."""
        return self.text.lower()

    @cached_property
    def lines(self) -> list[str]:
        """Lines that are not blank."""
        return list(filter(str.strip, self.text.split("\n")))

    @cached_property
    def repeated_lines(self) -> tuple[int, int]:
        """Number and characters of the lines that came before."""
        return _repeated(self.lines)

    @cached_property
    def paragraphs(self) -> list[str]:
        """What stands between empty lines."""
        text = self.text.strip()
        return _EMPTY_LINES.split(text) if "\n\n\n" in text else text.split("\n\n")

    @cached_property
    def repeated_paragraphs(self) -> tuple[int, int]:
        """Number and characters of the paragraphs that came before."""
        return _repeated(self.paragraphs)

    @cached_property
    def runs(self) -> Runs:
        """Runs of words in a row, by their hashes."""
        return Runs(self.words)


def _repeated(parts: list[str]) -> tuple[int, int]:
    distinct = set(parts)
    if len(distinct) == len(parts):
        return 0, 0
    return len(parts) - len(distinct), sum(map(len, parts)) - sum(map(len, distinct))


def word_hashes(words: list[str]) -> Hashes:
    """[words] Python's own hashes: fast, and good within one process."""
    return np.fromiter(map(hash, words), np.int64, len(words)).view(np.uint64)


def run_hashes(words: Hashes, size: int) -> Hashes:
    """[words - size + 1] a hash of every run of ``size`` words, from theirs; empty where there are too few."""
    count = max(0, len(words) - size + 1)
    mixed = np.zeros(count, np.uint64)
    for start in range(size):
        mixed = mixed * _MULTIPLIER + words[start : start + count]
    return mixed


class Runs:
    """How often runs of words occur, told by hashes: equal runs have equal ones.

    The hashes differ from process to process. So they serve as bounds, which hold whatever they are.
    """

    def __init__(self, words: list[str]) -> None:
        single = word_hashes(words)
        pairs, fours = run_hashes(single, 2), run_hashes(single, 4)
        pairs.sort()
        fours.sort()
        self._ordered = {2: pairs, 4: fours}
        self.repeats = int(np.count_nonzero(fours[1:] == fours[:-1]))
        """How many runs of four words came before."""

    def occur(self, size: Literal[2, 4], times: int) -> bool:
        """Whether some run of ``size`` words occurs at least so often."""
        ordered = self._ordered[size]
        number = len(ordered) - times + 1
        return number > 0 and bool(np.count_nonzero(ordered[times - 1 :] == ordered[:number]))
