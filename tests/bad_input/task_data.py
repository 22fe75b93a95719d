"""Data that no task can learn from, and what is said of them."""

from __future__ import annotations

import json
from typing import Any

from tests.bad_input.case import DEEP, HALF, REVIEWS, Case, lines, packed

_GZ = packed(f"text,label\n{REVIEWS}")
_ROWS = [{"text": f"it is {n}", "label": ("bad", "good")[n % 2]} for n in range(40)]
_FORTY = [{"source": f"Open {n}", "target": f"Ouvrir {n}"} for n in range(40)]


def _reviews(name: str, content: str, words: str, *more: str) -> Case:
    return Case(name, "a.csv", content, words, ("--finetune.label-names", *more), "sentiment")


def _review(name: str, row: Any, words: str) -> Case:
    file = lines(*_ROWS, row)
    return Case(name, "a.jsonl", file, f"line 41: {words}", ("--finetune.label-names",), "sentiment")


def _chat(name: str, messages: Any, words: str, **beside: Any) -> Case:
    row = messages if isinstance(messages, str) else {"messages": messages, **beside}
    return Case(name, "a.jsonl", lines(row), f"line 1{words}", task="chat")


def _squad(name: str, words: str, **question: Any) -> Case:
    asked = {"question": "Where?", "answers": [{"text": "Oslo", "answer_start": 0}], **question}
    return _article(name, {"title": "T", "paragraphs": [{"context": "Oslo is far.", "qas": [asked]}]}, words)


def _article(name: str, article: Any, words: str) -> Case:
    return Case(name, "a.json", json.dumps({"data": [article]}), f"item 1{words}", task="qa")


def _pair(name: str, row: Any, words: str) -> Case:
    return Case(name, "a.jsonl", lines(*_FORTY, row), f"line 41: {words}", task="translation")


def _summary(name: str, row: Any, words: str) -> Case:
    return Case(name, "a.jsonl", lines(row), f"line 1: {words}", task="summarization")


_HI, _CALL = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "", "tool_calls": [3]}

CASES = [
    _reviews("empty", "", "the file is empty"),
    _reviews("header alone", "text,label\n", "the file has no rows"),
    _reviews("blank lines alone", "\n\n", "the file has no rows"),
    _reviews("blank line first", f"\ntext,label\n{REVIEWS}", "line 1: there is no header"),
    _reviews("one row", "text,label\na,good\n", "all 1 training rows have the label 'good'"),
    _reviews(
        "three rows", "text,label\na,good\nb,bad\nc,good\n", "do not make a training and a held-out part"
    ),
    _reviews("two texts, repeated", "text,label\n" + "a,good\nb,bad\n" * 50, "give more data with different"),
    _reviews("one class", "text,label\n" + REVIEWS.replace("bad\n", "good\n"), "have the label 'good'"),
    _reviews(
        "10,000 classes",
        "text,label\n" + "".join(f"t {n} {k},c{n}\n" for n in range(10_000) for k in range(3)),
        "the column 'label' holds 10000 different values",
    ),
    _reviews("header again", f"text,label\n{REVIEWS}text,label\n", "line 42: the header stands here again"),
    _reviews(
        "column doubled", "text,label,text\na,b,c\n", "line 1: the header names the column 'text' twice"
    ),
    _reviews(
        "column missing", "txet,label\na,b\n", "line 2: there is no column 'text' (did you mean 'txet'?)"
    ),
    _reviews("field missing", f"text,label\n{REVIEWS}a\n", "line 42: the row has not the 2 fields"),
    _reviews("field too many", f"text,label\n{REVIEWS}a,b,c\n", "line 42: the row has not the 2 fields"),
    _reviews("label blank", f"text,label\n{REVIEWS}a,  \n", "line 42: the column 'label' is empty"),
    _reviews("text blank", f"text,label\n{REVIEWS}\u3000,good\n", "line 42: the column 'text' is empty"),
    _reviews(
        "label unknown", f"text,label\n{REVIEWS}a,fair\n", "line 42: the label 'fair' is", "bad", "good"
    ),
    _reviews(
        "names of none", f"text,label\n{REVIEWS}", "line 2: the label 'good' is outside the set", "x", "y"
    ),
    _reviews(
        "open quote", f'text,label\n"a,good\n{REVIEWS}', "not closed in the row that begins with line 2"
    ),
    _reviews("quote inside", f'text,label\n{REVIEWS}"a"b,good\n', "line 42: invalid CSV"),
    _reviews("carriage returns", f"text,label\n{REVIEWS}".replace("\n", "\r"), "a carriage return alone"),
    _reviews("zero byte", f"text,label\n{REVIEWS}a\0b,good\n", "line 42: byte 2 is zero"),
    Case("UTF-16", "a.csv", f"text,label\n{REVIEWS}".encode("utf-16"), "it is UTF-16", (), "sentiment"),
    Case("Latin-1", "a.csv", "text,label\nsch\xf6n,good\n".encode("latin-1"), "byte 4 is", (), "sentiment"),
    *(
        Case(f"gzip to byte {n}", "a.csv.gz", _GZ[:n], "ends too early", (), "sentiment")
        for n in (5, 40, len(_GZ) - 1)
    ),
    _review("null label", {"text": "x", "label": None}, "the column 'label' is empty"),
    _review("NaN label", {"text": "x", "label": float("nan")}, "the column 'label' is empty"),
    _review("infinite label", {"text": "x", "label": float("inf")}, "the label is inf"),
    _review("list label", {"text": "x", "label": ["good"]}, "the label is a list"),
    _review("object label", {"text": "x", "label": {"a": 1}}, "the label is a dict"),
    _review("half a pair", f'{{"text": "x", "label": {HALF}}}', "character 25 is U+D800"),
    _review("null text", {"text": None, "label": "good"}, "the column 'text' is empty"),
    _review("NaN text", {"text": float("nan"), "label": "good"}, "the column 'text' is empty"),
    _review("true text", {"text": True, "label": "good"}, "the column 'text' holds a bool and no text"),
    _review("array", [1], "it is a list and no object"),
    _review("deep", DEEP, "the JSON is nested too deeply"),
    _review("huge number", f'{{"text": {"9" * 5000}}}', "invalid JSON (Exceeds the limit"),
    _pair("no target", {"source": "Open"}, "there is no column 'target'"),
    _pair("null target", {"source": "Open", "target": None}, "the column 'target' is empty"),
    _pair("list source", {"source": ["Open"], "target": "x"}, "the column 'source' holds a list"),
    _pair("no object inside", {"translation": "x"}, "there is no column 'source'"),
    Case("damaged catalogue", "a.po", 'msgid "a"\nmsgstr "b"\nmsgid', "invalid catalogue", (), "translation"),
    Case("cut memory", "a.tmx", "<tmx><body><tu>", "line 1: invalid XML", (), "translation"),
    _summary("no summary", {"text": "Long."}, "there is no column 'summary'"),
    _summary("list summary", {"text": "Long.", "summary": ["x"]}, "the column 'summary' holds a list"),
    _summary("blank text", {"text": " ", "summary": "x"}, "the column 'text' is empty"),
    _squad("answer elsewhere", " paragraph 1 question 1: the answer 'Bergen'", answers=[{"text": "Bergen"}]),
    _squad(
        "negative offset",
        " paragraph 1 question 1: the answer_start -1 is outside",
        answers=[{"text": "Oslo", "answer_start": -1}],
    ),
    _squad(
        "offset beyond",
        " paragraph 1 question 1: the answer_start 99 is outside of the context, which has 12 characters",
        answers=[{"text": "Oslo", "answer_start": 99}],
    ),
    _squad(
        "offset of another type",
        " paragraph 1 question 1: the answer_start '[0]' is no whole number",
        answers=[{"text": "Oslo", "answer_start": [0]}],
    ),
    _squad("answer of another type", " paragraph 1 question 1: 'answers' is not in", answers=[{"text": 3}]),
    _squad("answers null", " paragraph 1 question 1: the column 'answers' is empty", answers=None),
    _squad("aliases of another type", " paragraph 1", answers={"value": "Oslo", "aliases": [{}]}),
    _squad("question null", " paragraph 1 question 1: the column 'question' is empty", question=None),
    _article("no context", {"title": "T"}, ": there is no column 'context'"),
    _article("paragraphs null", {"paragraphs": None}, ": there is no list 'paragraphs'"),
    _article("paragraph of another type", {"paragraphs": [3]}, " paragraph 1: it is a int and no object"),
    _article(
        "context null", {"paragraphs": [{"context": None}]}, " paragraph 1: the paragraph has no 'context'"
    ),
    _article("questions missing", {"paragraphs": [{"context": "x"}]}, " paragraph 1: there is no list 'qas'"),
    _chat("no messages", [], ": no message of the assistant follows another"),
    _chat("no answer", [_HI], ": no message of the assistant follows another"),
    _chat("messages null", None, ": the column 'messages' is empty"),
    _chat("message of another type", [3], " message 1: it is no object"),
    _chat("role unknown", [{"role": "usr", "content": "Hi"}], " message 1: the role 'usr' is unknown"),
    _chat("role missing", [{"content": "Hi"}], " message 1: the role 'None' is unknown"),
    _chat("role of another type", [{"role": ["user"], "content": "Hi"}], " message 1: the role '['user']'"),
    _chat("content null", [{"role": "user", "content": None}], " message 1: its content is no text"),
    _chat(
        "content a number", [_HI, {"role": "assistant", "content": 3}], " message 2: its content is no text"
    ),
    _chat(
        "result without call",
        [{"role": "tool", "content": "3"}],
        " message 1: a tool's result follows no call",
    ),
    _chat("call of another type", [_HI, _CALL], " message 2: a tool call has no name"),
    _chat(
        "tools of another type", [_HI, {"role": "bot", "content": "x"}], " tools: they are no list", tools=3
    ),
    _chat("tools too deep", [_HI, {"role": "bot", "content": "x"}], " tools: it is no JSON", tools=DEEP),
    _chat(
        "half a pair", f'{{"messages": [{{"role": "user", "content": {HALF}}}]}}', ": character 44 is U+D800"
    ),
]
