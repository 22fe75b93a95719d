"""Inputs that are nearly right, drawn by Hypothesis; every one has to be taken, or refused in one line."""

from __future__ import annotations

import dataclasses
import json
import math
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import zstandard
from hypothesis import strategies as st

from pipeline.checks import check
from pipeline.errors import GroundupError
from pipeline.overrides import flags, override
from pipeline.recipe import Corpus, Finetune, Recipe
from pipeline.settings import check_types
from pipeline.sources import Row, read_all
from pipeline.tasks import task_named
from tests.bad_input.case import DEEP, packed, parquet

_CHAT = {
    "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}],
    "tools": "[{}]",
}
_CALL = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
_ANSWER = {"text": ["Oslo"], "answer_start": [0]}
_SQUAD = {"question": "Where?", "answers": [{"text": "Oslo", "answer_start": 0}], "is_impossible": False}
_ROWS: dict[str, list[dict[str, Any]]] = {
    "sentiment": [{"text": "fine", "label": "good"}, {"text": "poor", "label": 0}],
    "translation": [
        {"source": "Open", "target": "Ouvrir"},
        {"translation": {"source": "Open", "target": "Ouvrir"}},
    ],
    "summarization": [{"text": "It goes on.", "summary": "On."}],
    "chat": [
        _CHAT,
        {"conversations": [{"from": "human", "value": "Hi"}, _CALL, {"role": "tool", "content": "3"}]},
    ],
    "qa": [
        {"context": "Oslo is far.", "title": "T", **_SQUAD},
        {"context": "Oslo is far.", "question": "Where?", "answers": _ANSWER},
        {"context": "Oslo is far.", "question": "Where?", "answers": {"value": "Oslo", "aliases": ["Oslo"]}},
    ],
}
_COLUMNS = {
    "translation": ("source", "target"),
    "summarization": ("text", "summary"),
    "chat": ("messages", "label"),
}
_PO = """# c
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8"

#, c-format
msgctxt "c"
msgid "a"
msgstr "b"
"""
_TMX = """<?xml version="1.0" encoding="UTF-8"?>
<tmx version="1.4"><body><tu><tuv xml:lang="en"><seg>a</seg></tuv></tu></body></tmx>
"""
_PAGE = "<html><head><title>T</title></head><body><p>A paragraph that is long enough to be kept.</p></body></html>"
_ANSWERED = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{_PAGE}"
_RECORD = (
    f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/\r\n"
    f"Content-Type: application/http\r\nContent-Length: {len(_ANSWERED)}\r\n\r\n{_ANSWERED}\r\n\r\n"
)
_TABLE = parquet([["fine", "poor", None], [0, 1, 2], [["a"], [], None]], ["text", "label", "list"])
_CATALOGUE = (
    bytes.fromhex(
        "de120495 00000000 01000000 1c000000 24000000 00000000 2c000000 01000000 2c000000 01000000 2e000000"
    )
    + b"a\0b\0"
)

VALID: dict[str, list[bytes]] = {
    ".txt": ["First.\n\nSecond – ünï.\n".encode()],
    ".py": [b'"""Docs."""\n\nx = 1\n'],
    ".csv": [b'text,label\n"a, ""b""",good\nc,bad\n', b"text;label\n1;2\n"],
    ".tsv": [b'text\tlabel\na "b" c\tgood\n"d\te"\tbad\n'],
    ".jsonl": ["".join(json.dumps(row) + "\n" for rows in _ROWS.values() for row in rows).encode()],
    ".json": [
        json.dumps(
            {"data": [{"title": "T", "paragraphs": [{"context": "Oslo.", "qas": [_SQUAD]}]}]}
        ).encode(),
        json.dumps(_ROWS["sentiment"], indent=1).encode(),
        json.dumps({"text": ["a", "b"], "label": [0, 1]}).encode(),
    ],
    ".parquet": [_TABLE],
    ".po": [_PO.encode()],
    ".mo": [_CATALOGUE],
    ".tmx": [_TMX.encode()],
    ".html": [_PAGE.encode()],
    ".warc": [(_RECORD * 2).encode()],
}
"""Whole files of each format."""
VALID |= {f"{s}.gz": [packed(VALID[s][0].decode())] for s in (".txt", ".csv", ".jsonl", ".warc")}
VALID |= {f"{s}.zst": [zstandard.compress(VALID[s][0])] for s in (".txt", ".json", ".tmx")}

_PIECES = (
    b"\0", b"\r", b"\n", b'"', b"\\", b"\xff\xfe", b"\xef\xbb\xbf", b"\\ud800", b"NaN", b"1e999", b"9" * 5000,
    b"[" * 2000, b"{" * 99, b"null", b"-1", b"true", b",", b"\t", b"<!ENTITY a 'b'>", b"&a;", b"<seg>",
    b"Content-Length: -1\r\n", b"charset=utf-7", b'encoding="big5"', b"\xf0\x9f", b"\xe2\x80\xae", b"\xcc\x81",
    b"msgid", b"#~ ", b"\x1f\x8b\x08", b"PAR1",
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, suffix: str) -> bytes:
    """A whole file of a format after some of what happens to files: bits flip, pieces go, double, come from others."""
    content = bytearray(draw(st.sampled_from(VALID[suffix])))
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 4, 0]))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        length = draw(st.integers(0, 40))
        match draw(st.sampled_from(["flip", "cut", "take", "double", "splice", "insert", "overwrite"])):
            case "flip" if content:
                content[place] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del content[place:]
            case "take":
                del content[place : place + length]
            case "double":
                content[place:place] = content[place : place + length]
            case "splice":
                content[place:place] = draw(st.sampled_from(VALID[draw(st.sampled_from(sorted(VALID)))]))
            case "insert":
                content[place:place] = draw(st.sampled_from(_PIECES))
            case "overwrite":
                content[place : place + length] = draw(st.binary(max_size=length))
    return bytes(content)


_PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", " ", "\ud800", "a\0b", "\u202e", "e\u0301", "9" * 5000, DEEP, b"x", 10**400])
)
_NESTED = st.recursive(
    _PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
ANYTHING = st.sampled_from([_PLAIN, _PLAIN, _NESTED]).flatmap(lambda kind: kind)
"""What a cell may hold that nobody meant."""


@st.composite
def rows(draw: st.DrawFn, task: str) -> Any:
    """Values of a row, right but for one of them somewhere."""
    row = json.loads(json.dumps(draw(st.sampled_from(_ROWS[task]))))
    name = draw(st.sampled_from(sorted(row)))
    return {**row, name: _put(draw, row[name])}


def _put(draw: st.DrawFn, value: Any) -> Any:
    """The value with something else in one place, however deep."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: _put(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        number = draw(st.integers(0, len(value) - 1))
        return [*value[:number], _put(draw, value[number]), *value[number + 1 :]]
    return draw(ANYTHING)


RECIPE = Recipe(
    name="fuzz",
    corpus=Corpus(sources=("a.txt",)),
    tasks={"sentiment": Finetune(data="a.csv", label_names=())},
)
_FLAGS = sorted(flags(RECIPE))
_NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 2**63, 10**30, math.nan, math.inf])
_SETTINGS = _NUMBERS | st.text(max_size=6) | st.booleans() | st.tuples(_NUMBERS, _NUMBERS) | st.just(())


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """The recipe with other values in a few places, as a recipe file may have them."""
    recipe = RECIPE
    for flag in draw(st.lists(st.sampled_from(_FLAGS), min_size=1, max_size=3)):
        recipe = _replaced(recipe, flag.removeprefix("--").split("."), draw(_SETTINGS))
    return recipe


def _replaced(settings: Any, names: list[str], value: Any) -> Any:
    if not names:
        return value
    name, rest = names[0].replace("-", "_"), names[1:]
    if isinstance(settings, dict):
        return {**settings, name: _replaced(settings[name], rest, value)}
    return dataclasses.replace(settings, **{name: _replaced(getattr(settings, name), rest, value)})


ARGUMENTS = st.lists(
    st.sampled_from(_FLAGS) | _NUMBERS.map(str) | st.text(max_size=6), min_size=1, max_size=4
)


def _taken(work: Callable[[], Any], counts: Counter[str]) -> None:
    try:
        work()
        counts["taken"] += 1
    except GroundupError as refusal:
        said = str(refusal)
        assert "\n" not in said and "; " in said and "Traceback" not in said and len(said) < 2000, said
        counts["refused"] += 1


_PLACE = tempfile.TemporaryDirectory()


def read_file(suffix: str, content: bytes, counts: Counter[str]) -> None:
    """Read all rows of a file; each can be written in UTF-8, or says why it is none."""
    file = Path(_PLACE.name) / f"a{suffix}"
    file.write_bytes(content)

    def read() -> None:
        for row in read_all(str(file)):
            for value in row.values.values():
                assert not isinstance(value, str) or value.encode() is not None

    _taken(read, counts)


def make_example(task: str, values: Any, counts: Counter[str]) -> None:
    """Make an example of a row; what comes out can be written as JSON in UTF-8."""
    source, target = _COLUMNS.get(task, ("text", "label"))
    made = task_named(task, Finetune(text_column=source, label_column=target))

    def examples() -> None:
        for example in made.examples([Row(values, "row 1")]):
            json.dumps(dict(example.fields), ensure_ascii=False).encode()
            example.group.encode()

    _taken(examples, counts)


def check_recipe(recipe: Recipe, counts: Counter[str]) -> None:
    """Check a recipe's types and values."""

    def checked() -> None:
        check_types(recipe)
        check(recipe)

    _taken(checked, counts)


def read_arguments(arguments: list[str], counts: Counter[str]) -> None:
    """Read a command line, and check what it makes of the recipe."""
    _taken(lambda: check(override("groundup run", RECIPE, arguments, ["sentiment"])), counts)


Work = Callable[[Any, "Counter[str]"], None]

TARGETS: dict[str, tuple[st.SearchStrategy[Any], Work]] = {
    **{suffix: (damaged(suffix), partial(read_file, suffix)) for suffix in VALID},
    **{task: (rows(task), partial(make_example, task)) for task in _ROWS},
    "recipes": (recipes(), check_recipe),
    "arguments": (ARGUMENTS, read_arguments),
}
"""What is fuzzed, by name: inputs, and what is done with one."""
