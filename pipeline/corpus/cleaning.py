"""One text to clean documents: markup, mojibake, invisible characters and white space; then pieces."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator

import ftfy
import ftfy.fixes

_BREAK = re.compile(r"<br ?/?>|</p>", re.IGNORECASE)
_TAG = re.compile(r"</?(?:p|b|i|em|strong|a|span|div|ul|ol|li|hr)(?: [^<>]*)?/?>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]\w{1,30});")

_SECOND = "[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ\ufffd]"
_MOJIBAKE = re.compile(
    "[\xc2-\xf0РС](?:"
    f"(?<=[\xc2-\xdf]){_SECOND}|(?<=[\xe0-\xef]){_SECOND}{{2}}|(?<=ð){_SECOND}{{3}}|(?<=[РС]).(?:[РС].){{3}})"
)
"""UTF-8 read as Windows-1252 or 1251, or what looks so: ftfy decides and is asked only then, being slow."""
_C1 = re.compile("[\x80-\x9f]")

_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\u2028\u2029]")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"  # control characters
    "\xad\u180e\u200b\u2060\ufeff"  # soft hyphens, spaces and joiners without width, byte order marks
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # directions: they say how to draw, and can hide text
    "\ud800-\udfff"  # halves of surrogate pairs: no UTF-8 can hold them
    "\ue000-\uf8ff"  # private use: icons of a font that is not here
    "\ufdd0-\ufdef\ufff9-\ufffb\ufffe\uffff]"  # no characters, and anchors of annotations
)
_BEYOND = re.compile(
    "[\U000f0000-\U0010ffff]"  # private use again
    "|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]+"  # tags, but in flags: they can hide text
)
_JOINERS = re.compile("(?<=[\x00-\u024f])[\u200c\u200d]+|[\u200c\u200d]+(?=[\x00-\u024f])|[\u200c\u200d]+$")
_SPACES = re.compile("[\xa0\u2000-\u200a\u202f\u205f]")
_EMPTY_LINES = re.compile(r"\n{3,}")


def clean(text: str) -> str:
    """A text without markup, broken encodings, invisible characters and needless white space.

    - Tags of running text and entities of HTML become what they stand for.
    - Mojibake is repaired by ftfy; single bytes of Windows-1252 become the characters they were.
    - Unicode is composed (NFC). Compatibility forms stay: NFKC would turn ² into 2.
    - Characters that nobody sees go; the list in this file says why each. The joiners U+200C and U+200D stay
      where writing needs them (Persian, Hindi, emoji) and go beside Latin letters.
    - All line ends become one; spaces of other widths become plain ones, but the full-width one of Chinese and
      Japanese stays. Lines lose blanks at their ends, runs of empty lines become one.

    Indentation stays, since it carries meaning in code and lists.
    """
    if "<" in text:
        text = _TAG.sub("", _BREAK.sub("\n", text))
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    if not text.isascii():
        text = _decoded(text)
    if not text.replace("\n", "").isprintable():  # neither are the spaces that are no plain ones
        text = _visible(text)
    text = unicodedata.normalize(
        "NFC", text
    )  # last: what went may have stood between a letter and its accent
    text = "\n".join(map(str.rstrip, text.split("\n")))
    return (_EMPTY_LINES.sub("\n\n", text) if "\n\n\n" in text else text).strip()


def _decoded(text: str) -> str:
    """The text with what was read in a wrong encoding read again."""
    if _MOJIBAKE.search(text):
        text = ftfy.fix_encoding(text)
    return ftfy.fixes.fix_c1_controls(text) if _C1.search(text) else text


def _visible(text: str) -> str:
    """The text without invisible characters, and with plain line ends and spaces."""
    text = _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))
    if text.isascii():
        return text
    if "\u200c" in text or "\u200d" in text:
        text = _JOINERS.sub("", text)
    return _SPACES.sub(" ", _BEYOND.sub("", text))


def pieces(text: str, most: int) -> Iterator[str]:
    """The text in pieces of at most ``most`` characters, cut at empty lines, else line ends, else spaces."""
    start = 0
    while len(text) - start > most:
        cuts = (text.rfind(mark, start + most // 4, start + most) for mark in ("\n\n", "\n", ". ", "。", " "))
        end = next((position + 1 for position in cuts if position > 0), start + most)
        if piece := text[start:end].strip():
            yield piece
        start = end
    if rest := text[start:].strip():
        yield rest
