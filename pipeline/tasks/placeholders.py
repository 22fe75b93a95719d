"""Placeholders of messages: hidden behind numbered markers while a model translates, and put back."""

from __future__ import annotations

import re
from collections import Counter

_PLACEHOLDER = re.compile(
    r"%\(\w+\)[#0\- +]*[\d.]*[a-zA-Z]"  # %(name)s
    r"|%(?:\d+\$)?[#0\- +]*[\d.]*[sdifgxXrucoeEG](?![a-zA-Z])"  # %s, %1$s, %.2f
    r"|%\d+"  # %1
    r"|\$?\{\{?[^{}\n]{0,40}\}\}?"  # {name}, {{ name }}, ${name}
    r"|</?[A-Za-z][^<>\n]*>"  # markup
    r"|&(?:#\d+|[A-Za-z]\w+);"  # entities
)
_MARKER = re.compile(r"\{(\d+)\}")


def placeholders(text: str) -> list[str]:
    """Placeholders of a text, in order."""
    return _PLACEHOLDER.findall(text)


def hide(text: str, known: list[str]) -> str:
    """The text with every placeholder as ``{1}``, ``{2}``, …, its place among the ``known`` ones; others stay.

    A text's own braces with a number are placeholders too, so a marker cannot be mistaken.
    """

    def marker(match: re.Match[str]) -> str:
        return f"{{{known.index(match.group()) + 1}}}" if match.group() in known else match.group()

    return _PLACEHOLDER.sub(marker, text)


def put_back(text: str, known: list[str]) -> str:
    """The text with markers turned into placeholders again; markers of none are dropped."""

    def placeholder(match: re.Match[str]) -> str:
        number = int(match.group(1))
        return known[number - 1] if 1 <= number <= len(known) else ""

    return _MARKER.sub(placeholder, text)


def mended(text: str, known: list[str]) -> str:
    """The text with exactly the known placeholders: surplus ones go, missing ones are added at the end."""
    left = Counter(known)

    def keep(match: re.Match[str]) -> str:
        left[match.group()] -= 1
        return match.group() if left[match.group()] >= 0 else ""

    kept = _PLACEHOLDER.sub(keep, text)
    missing = [placeholder for placeholder in known if left[placeholder] > 0]
    for placeholder in known:
        left[placeholder] = 0
    return " ".join([kept, *missing]) if missing else kept


def are_kept(source: str, translation: str) -> bool:
    """Whether a translation has the placeholders of its source, each as often, in any order."""
    return Counter(placeholders(source)) == Counter(placeholders(translation))
