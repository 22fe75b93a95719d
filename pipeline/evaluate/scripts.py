"""Writing systems, as far as metrics and baselines must know them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

import regex

SPACELESS = "\u3040-\u30ff\u3400-\u9fff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Ranges, as inside a regular expression, of letters of scripts that put no spaces between words."""
_LETTER = re.compile(f"[{SPACELESS}]")
_SPACED = re.compile(r"\w+")
_WORD = re.compile(f"[{SPACELESS}]|[^\\W{SPACELESS}]+")
_SHOWN = regex.compile(
    rf"[{SPACELESS}]\p{{M}}*|(?:[^\W{SPACELESS}]|\p{{M}})+(?:['’-][^\W{SPACELESS}]+)*|(?!\s)\X"
)

_ASCII = {n: chr(n).lower() if chr(n).isalnum() or chr(n) == "_" else " " for n in range(128)}


def words(text: str) -> list[str]:
    """Words in lower case; each character is one where a script puts no spaces between words."""
    if text.isascii():  # the same by faster ways
        return text.translate(_ASCII).split()
    if not _LETTER.search(text):
        return _SPACED.findall(text.casefold())
    return _WORD.findall(text.casefold())


def word_spans(text: str) -> list[tuple[int, int]]:
    """Characters of each word, with its inner hyphens and apostrophes, and of each other sign."""
    return [match.span() for match in _SHOWN.finditer(text)]


def is_spaceless(texts: Iterable[str]) -> bool:
    """Whether more than a fifth of the letters (of the first texts) are of such a script."""
    letters = [c for text in islice(texts, 1000) for c in text[:200] if c.isalpha()]
    return 5 * sum(bool(re.match(f"[{SPACELESS}]", c)) for c in letters) > len(letters)
