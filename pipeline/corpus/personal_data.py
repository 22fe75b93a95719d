"""Personal data in clear forms, replaced by typed placeholders."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass


def passes_luhn(digits: str) -> bool:
    """The check digit of card numbers (ISO/IEC 7812-1, annex B)."""
    numbers = [int(d) for d in digits if d.isdigit()][::-1]
    doubled = [sum(divmod(2 * n, 10)) for n in numbers[1::2]]
    return 13 <= len(numbers) <= 19 and (sum(numbers[::2]) + sum(doubled)) % 10 == 0


def is_public_address(text: str) -> bool:
    """An IP address that can belong to somebody: not loopback, private or reserved for documentation."""
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


@dataclass(frozen=True)
class Kind:
    """One kind of personal data: where it may be, and whether it is."""

    name: str
    pattern: re.Pattern[str]
    holds: Callable[[str], bool] = bool


KINDS = (
    Kind("email", re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b")),
    Kind(
        "ip",
        re.compile(
            r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)|(?<![\w:])(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}(?![\w:])",
            re.IGNORECASE,
        ),
        is_public_address,
    ),
    Kind("card", re.compile(r"(?<![\w.])\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,7}(?!\w|\.\d)"), passes_luhn),
    Kind(
        "phone",
        re.compile(
            r"(?<![\w.])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]\d{2,4}){2,4}"
            r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}-\d{3}-\d{4})(?!\w|\.\d)"
        ),
    ),
)
"""Kinds in the order of their search; a national form without separators looks like any number and is left."""


def mask(text: str, counts: Counter[str]) -> str:
    """The text with every find replaced by its kind, such as ``[EMAIL]``; finds are counted by kind."""
    for kind in KINDS:

        def replace(match: re.Match[str], kind: Kind = kind) -> str:
            if not kind.holds(match.group()):
                return match.group()
            counts[kind.name] += 1
            return f"[{kind.name.upper()}]"

        text = kind.pattern.sub(replace, text)
    return text
