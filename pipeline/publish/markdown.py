"""Text in Markdown: what data, models and recipes say stays text there, whatever it holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

_PUNCTUATION = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
"""What means something inside a line; an underscore between letters means itself."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_IN_ADDRESSES = ":/?#@!&+,;=%~-._"


class Markdown(str):
    """Text that is Markdown already: a template takes it as it is, by MarkupSafe's protocol."""

    def __html__(self) -> str:
        return str(self)


def environment(templates: Path) -> jinja2.Environment:
    """Templates that write Markdown: all they print is ``escaped``, unless one of the filters here was on it."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
        finalize=escaped,
    )
    made.filters.update(code=code, fenced=fenced, address=address)
    return made


def escaped(value: Any) -> Any:
    """A value as text within a line or a cell of a table (CommonMark 2.4, backslash escapes; GFM 4.10, tables)."""
    if hasattr(value, "__html__"):
        return value
    line = " ".join(str(value).split())
    plain = re.sub("[&<>]", lambda found: _ENTITIES[found[0]], _PUNCTUATION.sub(r"\\\g<0>", line))
    return Markdown(plain)


def code(value: Any) -> Markdown:
    """A value as a code span, between more backticks than it has in a row (CommonMark 6.1)."""
    line = " ".join(str(value).split())
    fence = _fence(line, 1)
    blank = " " if line.startswith("`") or line.endswith("`") else ""
    return Markdown(f"{fence}{blank}{line}{blank}{fence}")


def fenced(value: Any, language: str) -> Markdown:
    """Lines as a block of code, between more backticks than they have in a row (CommonMark 4.5)."""
    text = str(value).rstrip("\n")
    fence = _fence(text, 3)
    return Markdown(f"{fence}{language}\n{text}\n{fence}")


def address(value: str) -> Markdown:
    """Where a link goes, with all that could end it percent-encoded."""
    return Markdown(quote(value, safe=_IN_ADDRESSES))


def _fence(text: str, shortest: int) -> str:
    longest = max(map(len, re.findall("`+", text)), default=0)
    return "`" * max(shortest, longest + 1)
