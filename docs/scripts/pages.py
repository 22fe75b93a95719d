"""The pages a person reads: their code, the commands in it, and their links."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"

STEPS = "sh"
"""Language of fenced code that is followed step by step: it is run as it stands."""

_PROGRAMS = frozenset(
    {"groundup", "make", "accelerate", "sbatch", "python", "pip", "hf", "tensorboard", "trackio"}
    | {"head", "tail", "cat", "mkdir", "cp", "echo", "printf", "grep", "source", "git", "cd"}
)
_BAR = re.compile(r"\s\|\s(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)")
"""Between two programs, and not within quotes."""
_VARIABLE = re.compile(r"[A-Z_]+=\S*")


def pages() -> list[Path]:
    """Every page: those at the root, and those of docs/."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Code:
    """A piece of code on a page."""

    language: str
    """Of fenced code; empty where it is indented, or stands within a line."""
    file: str
    """Name of the file that it is, the second word after the fence; empty where it is none."""
    text: str
    line: int
    """Where it begins, from 1."""

    @property
    def is_block(self) -> bool:
        """Whether it has lines of its own; else it stands within one."""
        return self.text.endswith("\n")


@dataclass(frozen=True)
class Command:
    """A program and what it is given, as a person types it."""

    words: tuple[str, ...]
    place: str
    """Page and line."""

    @property
    def program(self) -> str:
        return Path(self.words[0]).name

    def __str__(self) -> str:
        return shlex.join(self.words)


def parsed(page: Path) -> list[Token]:
    """The page's Markdown, as CommonMark has it, with GitHub's tables."""
    return MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8"))


def codes(page: Path) -> Iterator[Code]:
    """Blocks of code, and what stands as code within lines, in order."""
    for token in parsed(page):
        line = token.map[0] + 1 if token.map else 0
        if token.type in ("fence", "code_block"):
            language, _, file = token.info.strip().partition(" ")
            yield Code(language, file, token.content, line + (token.type == "fence"))
        for child in token.children or ():
            if child.type == "code_inline":
                yield Code("", "", child.content, line)


def commands(page: Path) -> Iterator[Command]:
    """Every command of a page, of code in no other language."""
    for code in codes(page):
        if code.language in ("", STEPS):
            yield from commands_of(code, str(page.relative_to(ROOT)))


def commands_of(code: Code, page: str) -> Iterator[Command]:
    """The lines of a piece of code that begin with a program that is known; both sides of a pipe."""
    text = re.sub(r"\\\n\s*", lambda found: " " + "\0" * found[0].count("\n"), code.text)
    number = code.line
    for line in text.splitlines():
        for side in sides(line.replace("\0", "")):
            words = list(itertools.dropwhile(_VARIABLE.fullmatch, _words(side)))
            if words and Path(words[0]).name in _PROGRAMS and (len(words) > 1 or code.is_block):
                yield Command(tuple(words), f"{page}:{number}")
        number += 1 + line.count("\0")


def sides(line: str) -> list[str]:
    """The programs of a line of the shell, each of which reads what the one before it says."""
    return _BAR.split(line)


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # an apostrophe: prose, or another language
        return []


def links(page: Path) -> Iterator[tuple[str, int]]:
    """Addresses that the page links to, pictures included, with their line."""
    for token in parsed(page):
        for child in token.children or ():
            address = child.attrGet("href") or child.attrGet("src")
            if address:
                yield str(address), token.map[0] + 1 if token.map else 0


def anchors(page: Path) -> set[str]:
    """Names of the page's headings, as GitHub makes them for links."""
    tokens = parsed(page)
    named = [after for token, after in itertools.pairwise(tokens) if token.type == "heading_open"]
    return {_anchor("".join(child.content for child in token.children or ())) for token in named}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
