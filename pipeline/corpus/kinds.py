"""What a search for personal data and secrets is made of: kinds, and their finds in a text."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

CUE_CHARACTERS = 40
"""How far before an item the words are read that say what it is."""


@dataclass(frozen=True)
class Find:
    """Characters ``start`` to ``end`` of a text, and the name of the kind they are."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Kind:
    """One form of personal data or secret: where it may be, and whether it is.

    Args:
        name: of the placeholder, in lower case; several forms may share one.
        pattern: the item, or its group ``item`` where it has one. It takes time linear in the text.
        holds: the exact rule, such as a check digit.
        hint: a literal that every match contains, looked for first because that is much faster.
        cue: the words before an item must end in this.
        unless: the words before an item must not end in this.
        shortens: the item may be followed by what looks like more of it, so that its last groups are left
            off, one after the other, until the rule holds.
    """

    name: str
    pattern: re.Pattern[str]
    holds: Callable[[str], bool] = bool
    hint: str = ""
    cue: re.Pattern[str] | None = None
    unless: re.Pattern[str] | None = None
    shortens: bool = False

    def finds(self, text: str, start: int = 0, end: int = sys.maxsize) -> Iterator[Find]:
        """Items between two places of the text; one that the last place may have cut is none."""
        if self.hint not in text:
            return
        for match in self.pattern.finditer(text, start, end):
            first, last = match.span("item" if "item" in self.pattern.groupindex else 0)
            length = self._length(text[first:last])
            if length and match.end() != end and self._stands(text, match.start()):
                yield Find(first, first + length, self.name)

    def _length(self, found: str) -> int:
        while found and not self.holds(found):
            found = found[: max(found.rfind(" "), found.rfind("-"), 0)] if self.shortens else ""
        return len(found)

    def _stands(self, text: str, place: int) -> bool:
        since = max(place - CUE_CHARACTERS, 0)
        if self.cue and not self.cue.search(text, since, place):
            return False
        return not (self.unless and self.unless.search(text, since, place))


@dataclass(frozen=True)
class Family:
    """Kinds that have something in common which is found fast, and are searched for around it alone.

    Args:
        anchor: searched for in an outline of the text; begins with a literal, which ``re`` skips to.
        kinds: by falling certainty; of two that begin at one place the first counts.
        before, after: how many characters of an item may lie on either side of the anchor.
    """

    anchor: re.Pattern[bytes]
    kinds: Sequence[Kind]
    before: int
    after: int

    def finds(self, text: str, outline: bytes) -> Iterator[Find]:
        """Items around every anchor, some of them twice where anchors are close."""
        for place in self.anchor.finditer(outline):
            start, end = max(place.start() - self.before, 0), place.end() + self.after
            for kind in self.kinds:
                yield from kind.finds(text, start, end if end < len(text) else sys.maxsize)


def ascii_pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    r"""A pattern whose ``\w`` and ``\d`` are ASCII only: Chinese is written without spaces around a number."""
    return re.compile(pattern, re.ASCII | flags)


BEGIN = r"(?<![\w.,/#$€£¥])(?<!\w[-+])"
END = r"(?!\w|[.,]\d|-\w)"
"""Bounds of a number that stands for itself and is no part of a longer one, an amount, a name or an address."""
