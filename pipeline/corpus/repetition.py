"""Repetition in a document: Gopher's filters (Rae et al., 2021, section A.1.1 and table A1).

Most documents repeat little. So cheap bounds come first, and characters are counted only where a bound is passed.
A bound never changes a verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Literal

from pipeline.corpus.pages import Page

Filter = Callable[[Page], bool]
"""Whether it drops the page; its name is what the dropped document is counted under."""

_TOP = {2: 0.20, 3: 0.18, 4: 0.16}
_DUPLICATE = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}


def gopher_duplicate_lines(page: Page) -> bool:
    """More than 30 % of the lines came before in the document. Rae et al., 2021, table A1."""
    return page.repeated_lines[0] > 0.30 * len(page.lines)


def gopher_duplicate_paragraphs(page: Page) -> bool:
    """More than 30 % of the paragraphs came before in the document. Rae et al., 2021, table A1."""
    return page.repeated_paragraphs[0] > 0.30 * len(page.paragraphs)


def gopher_duplicate_line_characters(page: Page) -> bool:
    """Lines that came before hold more than 20 % of the characters. Rae et al., 2021, table A1."""
    return page.repeated_lines[1] > 0.20 * len(page.text)


def gopher_duplicate_paragraph_characters(page: Page) -> bool:
    """Paragraphs that came before hold more than 20 % of the characters. Rae et al., 2021, table A1."""
    return page.repeated_paragraphs[1] > 0.20 * len(page.text)


def _top(size: int, share: float) -> Filter:
    """The filter of the most frequent n-gram of ``size`` words, the first of them where several are."""

    def drops(page: Page) -> bool:
        limit = share * len(page.text)
        grams = size * page.units
        part: Literal[2, 4] = 2 if grams < 4 else 4
        if part == 4 and not page.runs.repeats:
            return False
        too_often = int(limit / (grams * (page.longest_word + 1))) + 1
        if not page.runs.occur(part, max(2, too_often)):
            return False
        gram, count = Counter(_grams(page.words, grams)).most_common(1)[0]
        spaces = 0 if page.is_spaceless else grams - 1
        return count > 1 and count * (len("".join(gram)) + spaces) > limit

    drops.__name__ = f"gopher_top_{size}_gram"
    drops.__doc__ = (
        f"The most frequent run of {size} words holds more than {share:.0%} of the characters. "
        "Rae et al., 2021, table A1."
    ).replace("%", " %")
    return drops


def _duplicate(size: int, share: float) -> Filter:
    """The filter of n-grams of ``size`` words that came before."""

    def drops(page: Page) -> bool:
        limit = share * len(page.text)
        grams = size * page.units
        runs = page.runs.repeats // (grams - 3)  # each holds that many runs of four words
        if runs * grams * page.longest_word <= limit:
            return False
        return _repeated_characters(page.words, grams) > limit

    drops.__name__ = f"gopher_duplicate_{size}_grams"
    drops.__doc__ = (
        f"Runs of {size} words that came before hold more than {share:.0%} of the characters. "
        "Rae et al., 2021, table A1."
    ).replace("%", " %")
    return drops


def _grams(words: list[str], size: int) -> zip[tuple[str, ...]]:
    return zip(*(islice(words, start, None) for start in range(size)), strict=False)


def _repeated_characters(words: list[str], size: int) -> int:
    """Characters of the n-grams that came before; those that overlap are counted once."""
    grams = list(_grams(words, size))
    if len(set(grams)) == len(grams):
        return 0
    seen: set[tuple[str, ...]] = set()
    characters = at = 0
    while at < len(grams):
        if grams[at] in seen:
            characters += len("".join(grams[at]))
            at += size
        else:
            seen.add(grams[at])
            at += 1
    return characters


GOPHER_REPETITION: tuple[Filter, ...] = (
    gopher_duplicate_lines,
    gopher_duplicate_paragraphs,
    gopher_duplicate_line_characters,
    gopher_duplicate_paragraph_characters,
    *(_top(size, share) for size, share in _TOP.items()),
    *(_duplicate(size, share) for size, share in _DUPLICATE.items()),
)
"""The filters of table A1, in its order."""
