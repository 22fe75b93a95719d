"""Named filters; their place until they come."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Page:
    text: str
    language: str


def first_failure(page: Page, families: Sequence[str]) -> str:
    return ""


def without_poor_lines(text: str, families: Sequence[str]) -> str:
    return text


def meaning(name: str) -> str:
    return name
