"""Conversations under a chat template: the tokens that inference gives, and which of them the assistant says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pipeline.errors import GroundupError, first_line
from pipeline.model.messages import Message
from pipeline.model.special_tokens import harmless, set_chat_template

_TEMPLATE = "chat template"
_ANOTHER = "use a model with another template, or one without, which then gets ours"
_MARK = re.compile(r"\{%-?\s*generation\s*-?%\}")
Span = tuple[int, int]


@dataclass(frozen=True)
class Told:
    """A conversation's tokens, as ``apply_chat_template`` gives them, and whether the assistant says each."""

    ids: list[int]
    is_reply: list[bool]


def told(tokenizer: Any, messages: Sequence[Message], tools: str = "") -> Told:
    """A conversation under the tokenizer's template, with the assistant's tokens marked.

    By the template's own ``{% generation %}`` marks where it has some; else a reply is what the conversation with it
    has after the prompt for it, up to the token that ends the turn.

    Args:
        tokenizer: ready for turns (``ready_for_turns``).
        messages: whose text cannot be mistaken for the template's (``harmless``).
        tools: schemas as JSON.

    Raises:
        GroundupError: when the template cannot write them, or changes earlier turns as the conversation grows.
    """
    plain, offered = _plain(tokenizer, messages, tools)
    if _MARK.search(tokenizer.get_chat_template(None, offered)):
        given = tokenizer.apply_chat_template(
            plain, tools=offered, return_dict=True, return_assistant_tokens_mask=True
        )
        return Told(given["input_ids"], [bool(mark) for mark in given["assistant_masks"]])
    text = _rendered(tokenizer, plain, offered)
    spans = list(_spans(tokenizer, plain, offered, text))
    given = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return Told(given["input_ids"], _overlapping(given["offset_mapping"], spans))


def written(tokenizer: Any, messages: Sequence[Message], tools: str = "", ask: bool = False) -> list[int]:
    """A conversation's tokens.

    Args:
        tokenizer: ready for turns.
        messages: as for ``told``.
        tools: schemas as JSON.
        ask: end with what makes the assistant speak.
    """
    text = _rendered(tokenizer, *_plain(tokenizer, messages, tools), ask)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def ready_for_turns(tokenizer: Any) -> None:
    """Give a tokenizer our template where it has none, check the one it has, and let the turn's end end the text.

    The check: on a conversation of two exchanges, every message is there as it was, in its order; a conversation
    that goes on only adds; what prompts for a reply stands before it; a token of its own ends the turn.

    Raises:
        GroundupError: for a template that replies cannot be learnt with.
    """
    set_chat_template(tokenizer)
    talk = [
        {"role": role, "content": f"{word} {number}"}
        for number in (1, 2)
        for role, word in (("user", "Question"), ("assistant", "Reply"))
    ]
    text = _rendered(tokenizer, talk, None)
    places = [text.find(message["content"]) for message in talk]
    if -1 in places or places != sorted(places):
        raise GroundupError(_TEMPLATE, "it does not write every message as it is", _ANOTHER)
    replies = [text[slice(*span)] for span in _spans(tokenizer, talk, None, text, to_end=True)]
    ends = [_first_special(tokenizer, reply) for reply in replies]
    if not ends[0] or ends[0] != ends[1]:
        raise GroundupError(
            _TEMPLATE, "no token of its own ends a reply, so none could learn to end", _ANOTHER
        )
    tokenizer.eos_token = ends[0]
    _check_marks(tokenizer, talk, text)


def _check_marks(tokenizer: Any, talk: Sequence[Message], text: str) -> None:
    """Refuse a template that does not mark whole replies, or marks what the user says."""
    marked = told(tokenizer, talk)
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    replies = _overlapping(offsets, list(_spans(tokenizer, talk, None, text)))
    asked = [m["content"] for m in talk if m["role"] == "user"]
    questions = _overlapping(offsets, [(text.find(q), text.find(q) + len(q)) for q in asked])
    if any(
        (reply and not mark) or (question and mark)
        for mark, reply, question in zip(marked.is_reply, replies, questions, strict=True)
    ):
        raise GroundupError(_TEMPLATE, "its generation marks do not stand round the replies", _ANOTHER)


def _first_special(tokenizer: Any, text: str) -> str:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    known = tokenizer.added_tokens_decoder
    return next((known[i].content for i in ids if i in known and known[i].special), "")


def _spans(
    tokenizer: Any, plain: Sequence[Any], tools: Any, text: str, to_end: bool = False
) -> Iterator[Span]:
    """Characters of each reply, its turn's end included; ``to_end``: all up to the next message."""
    for number, message in enumerate(plain):
        if message["role"] == "assistant":
            prompt = _rendered(tokenizer, plain[:number], tools, ask=True)
            until = _rendered(tokenizer, plain[: number + 1], tools)
            if not until.startswith(prompt) or not text.startswith(until):
                raise GroundupError(
                    _TEMPLATE,
                    "it changes earlier messages as a conversation grows, or adds to the prompt for a reply",
                    _ANOTHER,
                )
            end = -1 if to_end else until.rfind(tokenizer.eos_token, len(prompt))
            yield len(prompt), len(until) if end < 0 else end + len(tokenizer.eos_token)


def _overlapping(offsets: Sequence[Span], spans: Sequence[Span]) -> list[bool]:
    """Whether each token has a part in one of the spans, as transformers counts for its own marks."""
    return [any(begin < last and end > first for first, last in spans) for begin, end in offsets]


def _rendered(tokenizer: Any, plain: Sequence[Any], tools: Any, ask: bool = False) -> str:
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(plain, tools=tools, add_generation_prompt=ask, tokenize=False)
    except (TemplateError, TypeError) as error:
        raise GroundupError(
            _TEMPLATE, f"it cannot write a conversation ({first_line(error)[:200]})", _ANOTHER
        ) from error


def _plain(tokenizer: Any, messages: Sequence[Message], tools: str) -> tuple[list[Any], Any]:
    """What the template takes: messages and tools as objects, in which its special tokens are the only ones."""
    said: list[Any] = []
    for message in messages:
        entry: dict[str, Any] = {"role": message["role"], "content": harmless(message["content"], tokenizer)}
        if message.get("tool_calls"):
            entry["tool_calls"] = json.loads(harmless(message["tool_calls"], tokenizer))
        said.append(entry)
    offered = json.loads(harmless(tools, tokenizer)) if tools else None
    speaks = bool(tools) or any(m["role"] == "tool" or "tool_calls" in m for m in said)
    if speaks and not _knows_tools(tokenizer, tokenizer.chat_template):
        return spelled_out(said, offered), None
    return said, offered


@lru_cache(maxsize=8)
def _knows_tools(tokenizer: Any, _template: str) -> bool:
    """Whether a template writes tools, calls and results: seen on an example of each."""
    tool = {"type": "function", "function": {"name": "seek", "description": "Seeks.", "parameters": {}}}
    call = {"type": "function", "function": {"name": "seek", "arguments": {"thing": "keys"}}}
    talk = [
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "drawer"},
    ]
    try:
        text = _rendered(tokenizer, talk, [tool])
    except GroundupError:
        return False
    return all(word in text for word in ("Seeks.", "keys", "drawer"))


def spelled_out(messages: Sequence[Any], tools: Any) -> list[dict[str, str]]:
    """The same for a template that knows no tools, in the words of our own template.

    Tools are listed, a schema a line, at the end of the system message; a call is JSON between ``<tool_call>`` tags at
    the end of the assistant's message; a result is the user's message, between ``<tool_response>`` tags.
    """
    plain: list[dict[str, str]] = []
    for message in messages:
        content = message["content"]
        if message["role"] == "tool":
            plain.append({"role": "user", "content": f"<tool_response>\n{content}\n</tool_response>"})
            continue
        calls = [_tagged(call["function"]) for call in message.get("tool_calls") or ()]
        plain.append(
            {"role": message["role"], "content": "\n".join([*([content] if content else ()), *calls])}
        )
    if tools:
        listed = "\n".join(["Tools:", *(json.dumps(tool, ensure_ascii=False) for tool in tools)])
        if plain[0]["role"] == "system":
            plain[0]["content"] += f"\n\n{listed}"
        else:
            plain.insert(0, {"role": "system", "content": listed})
    return plain


def _tagged(function: Any) -> str:
    call = {"name": function["name"], "arguments": function["arguments"]}
    return f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>"
