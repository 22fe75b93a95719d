"""One text to clean documents: markup, mojibake, control characters and white space; then pieces."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator

import ftfy

_BREAK = re.compile(r"<br ?/?>|</p>", re.IGNORECASE)
_TAG = re.compile(r"</?(?:p|b|i|em|strong|a|span|div|ul|ol|li|hr)(?: [^<>]*)?/?>", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\ufeff]")
_MOJIBAKE = re.compile(r"[ÂÃâÐÑ][\u0080-\u00bf\u2018-\u2122€]|\ufffd")
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_EMPTY_LINES = re.compile(r"\n{3,}")

PIECE_CHARACTERS = 4000
"""Longer documents are cut: so one long file too gives documents to hold out."""


def clean(text: str) -> str:
    """A text without markup, broken encodings, control characters and needless white space.

    Indentation stays, since it carries meaning in code and lists.
    """
    if "<" in text:
        text = _TAG.sub("", _BREAK.sub("\n", text))
    if "&" in text:
        text = html.unescape(text)
    if _MOJIBAKE.search(text):
        text = ftfy.fix_encoding(text)
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = unicodedata.normalize("NFC", text)
    return _EMPTY_LINES.sub("\n\n", _TRAILING.sub("", text)).strip()


def pieces(text: str, most: int = PIECE_CHARACTERS) -> Iterator[str]:
    """The text in pieces of at most ``most`` characters, cut at empty lines, else line ends, else spaces."""
    while len(text) > most:
        cuts = (text.rfind(mark, most // 4, most) for mark in ("\n\n", "\n", ". ", "。", " "))
        cut = next((position + 1 for position in cuts if position > 0), most)
        yield text[:cut].strip()
        text = text[cut:].strip()
    if text:
        yield text
