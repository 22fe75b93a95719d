"""Telephone numbers as people write them: international (ITU-T E.164, E.123) and plain national forms.

A national form without separators looks like any number; it is taken for a telephone number only after a word
such as ``Tel.``, or where the prefix of mobile numbers makes it near certain (China, United Kingdom).
"""

from __future__ import annotations

import re

from pipeline.corpus.kinds import BEGIN, END, Kind, ascii_pattern

_NAME = "phone"
_COUNTRY = (
    r"(?:7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|21[1-368]|2[2-6]\d|29[0179]|3[578]\d|42[013]|50\d|59\d"
    r"|6[789]\d|85[02356]|88[06]|96\d|97\d|99[2-8])"
)
"""Country codes in use (ITU-T, list of E.164 country codes) but North America's, which has a form of its own."""

_EXTENSION = r"(?:,? ?(?:x|ext\.?|extension|#|Durchwahl|poste) ?\d{1,6})?"
_CUE = re.compile(
    r"(?:(?<![^\W\d_])(?:(?:tel|tél|ph|mob|fax)\.?|cell|t[eé]l[eé]phone|tele(?:fon|fono|fone)|tel[eé]fono|phone"
    r"|mobile?|cellulare|celular|m[oó]vil|handy|portable|whatsapp|call|ring|dial|hotline|rufnummer)(?![^\W\d_])"
    r"|电话|手机|号码|传真|热线|致电)"
    r"(?:[ \t:#]|(?:number|no\.?|nr\.?|is|at|on|me|us|him|her|them|est|le|al|ist|è|es|é)(?![^\W\d_])"
    r"|是|为|号码?){0,6}\Z",
    re.IGNORECASE,
)
_VERSION_OR_BOOK = re.compile(
    r"\b(?:ISBN|ISSN|DOI|version|no\.|pp?\.)[^\w\n]{0,4}(?:1[03])?[^\w\n]{0,3}\Z", re.IGNORECASE
)
_DATE = ascii_pattern(
    r"(?:\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2})(?![./-]?\d)"
    r"|(?:1[5-9]|20)\d\d ?- ?(?:1[5-9]|20)\d\d$"
)
"""A date, with or without a time after it, or a range of years."""


_OTHER = ascii_pattern(r"\d+ (?:19|20)\d\d$|\d{3}-\d\d-\d{4}$")
"""The number of an article and its year; the form of a social security number."""


def _digits(text: str) -> str:
    return "".join(c for c in re.split(r"x|ext|#|D|poste", text)[0] if c.isdigit())


def _is_international(text: str) -> bool:
    """At most the 15 digits of E.164; zeros alone before a number without separators pad it."""
    digits = _digits(text)
    return 8 <= len(digits.lstrip("0")) <= 15 and (text[0] == "+" or not text.isdigit())


def _is_national(text: str) -> bool:
    """Nine digits in three groups, or ten to twelve in two; no date; no code of a post office (``02134-1234``)."""
    if _OTHER.match(text):
        return False
    groups = len(re.findall(r"\d+", text))
    return 9 + (groups < 3) <= len(_digits(text)) <= 12 and not _DATE.match(text)


def _is_no_range(text: str) -> bool:
    """Not a volume with years or pages: ``12 1990-1995``, ``95 3453-3488``."""
    first, last = (int(part[-4:]) for part in text.split("-"))
    return not (first < last < first + 300 or (1500 < first < 2100 and 1500 < last < 2100))


def _is_announced(text: str) -> bool:
    return 7 <= len(_digits(text)) <= 15 and not _DATE.match(text) and not _OTHER.match(text)


def _is_mobile(text: str) -> bool:
    """Not a round number, which a sum of money would be."""
    return not text.endswith("0000")


PHONES = (
    Kind(
        _NAME,  # North America
        ascii_pattern(
            rf"{BEGIN}(?:(?:\+|00)?1[ .-]?)?(?:\([2-9]\d\d\) ?-?|[2-9]\d\d[ .-])"
            rf"\d{{3}}[ .-]\d{{4}}{_EXTENSION}{END}"
        ),
        unless=_VERSION_OR_BOOK,
    ),
    Kind(
        _NAME,
        ascii_pattern(rf"(?<![\w+])(?:\+|00)1[ .-]?[2-9]\d\d[ .-]?\d{{3}}[ .-]?\d{{4}}{_EXTENSION}{END}"),
        _is_international,
    ),
    Kind(
        _NAME,
        ascii_pattern(
            rf"(?<![\w+])(?:\+|(?<![.,/$-])00) ?{_COUNTRY}[ .-]?(?:\(\d{{1,5}}\))?"
            rf"(?:[ ./-]?\d){{4,12}}\d{_EXTENSION}{END}"
        ),
        _is_international,
    ),
    Kind(
        _NAME,  # with the 0 of a long-distance call: Europe, China, Japan and others
        ascii_pattern(
            rf"{BEGIN}(?<!\d[ ])(?:\(0[1-9]\d{{0,4}}\)[ -]{{0,2}}\d{{2,8}}(?:[ -]\d{{1,5}}){{0,4}}"
            rf"|0[1-9]\d{{0,4}}(?:[ ./-]\d{{2,8}}){{1,4}}(?:-\d{{1,4}})?){_EXTENSION}{END}(?![ ]\d)"
        ),
        _is_national,
        unless=_VERSION_OR_BOOK,
    ),
    Kind(_NAME, ascii_pattern(rf"{BEGIN}\(\d\d\) ?9?\d{{4}}-\d{{4}}{END}")),  # Brazil
    Kind(_NAME, ascii_pattern(rf"{BEGIN}(?<!\d[ ])\d\d 9?\d{{4}}-\d{{4}}{END}"), _is_no_range),
    Kind(_NAME, ascii_pattern(rf"{BEGIN}1[3-9]\d(?P<s>[ -]?)\d{{4}}(?P=s)\d{{4}}{END}"), _is_mobile),  # China
    Kind(_NAME, ascii_pattern(rf"{BEGIN}07[1-9]\d{{8}}{END}"), _is_mobile),  # United Kingdom
    Kind(
        _NAME,
        ascii_pattern(rf"(?<![\w.,/+])\(?\d(?:[ ./()-]{{0,2}}\d){{6,14}}{_EXTENSION}{END}"),
        _is_announced,
        cue=_CUE,
    ),
)
"""Found around seven digits or more."""
