"""Tokens joined to words, which is how a reader sees them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.evaluate.scripts import word_spans
from pipeline.model.reading import Place, Reading


@dataclass(frozen=True)
class Word:
    """Characters of a text that belong together, and the tokens that stand for them."""

    text: str
    """Name of the text."""
    start: int
    end: int
    tokens: tuple[int, ...]
    """Positions."""


def words_of(reading: Reading) -> list[Word]:
    """The words of all texts that were read, in their order; a token belongs to the one that its first letter is in.

    A token of white space belongs to the word that follows. What was cut off has no word.
    """
    found: list[Word] = []
    for name, text in reading.texts.items():
        spans = word_spans(text)
        starts = [start for start, _ in spans]
        grouped: dict[int, list[int]] = {}
        for position, place in enumerate(reading.places):
            if place is not None and place.text == name:
                grouped.setdefault(_begin(place, text, starts, spans), []).append(position)
        shown = 0  # of the text, up to here: a token may reach into the next word
        for start, tokens in sorted(grouped.items()):
            ends = [_end(reading.places[token], text, start) for token in tokens]
            begin, shown = max(start, shown), max(*ends, shown)
            found.append(Word(name, begin, shown, tuple(tokens)))
    return found


def _begin(place: Place, text: str, starts: Sequence[int], spans: Sequence[tuple[int, int]]) -> int:
    """Where the word begins that a token's first letter is in, or the token itself where that is in none."""
    rest = text[place.start :]
    first = place.start + len(rest) - len(rest.lstrip())
    if first == len(text):
        return place.start
    number = bisect_right(starts, first) - 1
    return spans[number][0] if number >= 0 and first < spans[number][1] else first


def _end(place: Place | None, text: str, start: int) -> int:
    assert place is not None  # of a token that was given to a word
    shown = place.start + len(text[place.start : place.end].rstrip())
    return shown if shown > start else max(start + 1, place.end)
