"""Docstrings as documents with a summary: the name with what follows the first sentence, and that sentence."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.sources.base import Row, reads_installed
from pipeline.sources.documentation import LICENCE, PACKAGES, read_docstrings

_SHORTEST_BODY = 150
_SUMMARY = range(20, 121)
"""Lengths of a summary, in characters."""


@reads_installed("docstring-summaries", *PACKAGES.values(), licence=LICENCE)
def read_docstring_summaries() -> Iterator[Row]:
    """Columns ``text`` and ``summary``, from docstrings that begin with one sentence; grouped by module.

    Of the docstrings that share a summary, which are mostly the same text, only the first is taken.
    """
    seen = set()
    for row in read_docstrings():
        first, _, body = row.values["text"].partition("\n\n")
        summary, body = " ".join(first.split()), body.strip()
        is_sentence = summary.endswith(".") and ". " not in summary and len(summary) in _SUMMARY
        if is_sentence and len(body) >= _SHORTEST_BODY and summary not in seen:
            seen.add(summary)
            text = f"{row.values['name']}\n{body}"
            yield Row({"text": text, "summary": summary}, row.place, row.group, row.licence)
