"""JSON Lines, and JSON files: SQuAD's nested form, a list of objects, or an object with such a list."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import GroundupError, first_line, nearest, refuse_surrogates, shown
from pipeline.sources.base import Row, doubled, reads_files
from pipeline.sources.opening import decoded_lines

_MAYBE_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""How JSON writes a surrogate, which is text in pairs alone."""


@reads_files(".jsonl", ".ndjson", compressed=True)
def read_jsonl(path: Path) -> Iterator[Row]:
    """One object a line; empty lines are passed over."""
    return _lines(path, decoded_lines(path))


@reads_files(".json", compressed=True)
def read_json(path: Path) -> Iterator[Row]:
    """A JSON document, which is held in memory whole; one that is JSON Lines under this name streams as such."""
    lines = decoded_lines(path)
    start = _up_to_second(lines)
    if _are_rows(start):
        yield from _lines(path, itertools.chain(start, lines))
        return
    text = "".join(itertools.chain(start, lines))
    if text.strip():
        yield from _document(path, _parsed(text, str(path), lines=True))


def _up_to_second(lines: Iterator[str]) -> list[str]:
    """Lines up to the second one that is not empty."""
    start, written = [], 0
    for line in lines:
        start.append(line)
        written += bool(line.strip())
        if written == 2:
            break
    return start


def _are_rows(start: list[str]) -> bool:
    """Whether the first of two written lines is an object by itself: no other JSON document goes on after that."""
    written = [line for line in start if line.strip()]
    if len(written) < 2:
        return False
    try:
        return isinstance(_parsed(written[0], ""), Mapping)
    except GroundupError as refusal:  # an object nevertheless, but for what is in it
        return not isinstance(refusal.__cause__, json.JSONDecodeError)


def _lines(path: Path, lines: Iterator[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            place = f"{path} line {number}"
            try:
                yield Row(_object(_parsed(line, place), place), place)
            except GroundupError as refusal:
                yield Row({}, place, refusal=refusal)


def _parsed(text: str, place: str, lines: bool = False) -> Any:
    """The value of a text, which may have ``lines`` of its own.

    Raises:
        GroundupError: for what is no JSON, what Python cannot hold, a key that an object has twice, and half a
            surrogate pair.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique)
        if _MAYBE_HALF.search(text):
            refuse_surrogates(json.dumps(value, ensure_ascii=False), place)
        return value
    except json.JSONDecodeError as error:
        where = f"{place} line {error.lineno}" if lines else place
        what = f"invalid JSON ({error.msg} at column {error.colno})"
        raise GroundupError(where, what, "mend or delete the line") from error
    except RecursionError as error:
        what, remedy = "the JSON is nested too deeply", "write every row as one flat object"
        raise GroundupError(place, what, remedy) from error
    except ValueError as error:  # a doubled key, or a number of thousands of digits
        raise GroundupError(place, f"invalid JSON ({first_line(error)[:80]})", "mend the row") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs."""
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError(f"the key '{shown(doubled(key for key, _ in pairs))}' is there twice")
    return values


def _document(path: Path, document: Any) -> Iterator[Row]:
    if isinstance(document, Mapping):
        document = _rows_of_columns(document)
    if isinstance(document, Mapping):
        lists = [key for key, value in document.items() if isinstance(value, list)]
        if not lists:
            raise GroundupError(
                str(path), "it is one object and no list of rows", "use a list of objects, or JSON Lines"
            )
        document = document["data" if "data" in lists else lists[0]]
    if not isinstance(document, list):
        raise GroundupError(str(path), "it is no list of rows", "use a list of objects, or JSON Lines")
    for number, values in enumerate(document, start=1):
        place = f"{path} item {number}"
        values = _object(values, place)
        if "paragraphs" in values:
            yield from _squad_article(values, place)
        else:
            yield Row(values, place)


def _rows_of_columns(document: Mapping[str, Any]) -> Any:
    """Rows of an object that holds a list of plain values, equally long, for each column; else the object."""
    lengths = {len(v) if isinstance(v, list) else -1 for v in document.values()}
    plain = all(
        not isinstance(entry, Mapping) for v in document.values() if isinstance(v, list) for entry in v
    )
    if len(lengths) != 1 or -1 in lengths or not plain:
        return document
    return [dict(zip(document, values, strict=True)) for values in zip(*document.values(), strict=True)]


def _squad_article(article: Mapping[str, Any], place: str) -> Iterator[Row]:
    """SQuAD 1.1 and 2.0 (Rajpurkar et al., 2016, 2018): article → paragraphs → questions, one row a question."""
    title = str(article.get("title", place))
    for p, paragraph in enumerate(_list(article, "paragraphs", place), start=1):
        where = f"{place} paragraph {p}"
        paragraph = _object(paragraph, where)
        if not isinstance(paragraph.get("context"), str):
            raise GroundupError(
                where, "the paragraph has no 'context'", "give every paragraph its text as 'context'"
            )
        for q, question in enumerate(_list(paragraph, "qas", where), start=1):
            question = _object(question, f"{where} question {q}")
            yield Row(
                {"title": title, "context": paragraph["context"], **question},
                f"{where} question {q}",
                group=title,
            )


def _list(holder: Mapping[str, Any], key: str, place: str) -> list[Any]:
    if not isinstance(holder.get(key), list):
        raise GroundupError(place, f"there is no list '{key}' ({nearest(key, holder)})", "use SQuAD's form")
    return holder[key]


def _object(values: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise GroundupError(
            place, f"it is a {type(values).__name__} and no object", 'write every row as {"column": value}'
        )
    return values
