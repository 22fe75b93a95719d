"""Conversations as messages: from the forms that data has to one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.errors import GroundupError, first_line, nearest, refuse_surrogates, shown

_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
}

Message = dict[str, str]
"""``role``, ``content`` and, of an assistant that calls tools, ``tool_calls`` as JSON: Arrow would give every call
the arguments of all others."""


def read_messages(entries: Sequence[Any], place: str) -> list[Message]:
    """Messages of one conversation, in one form.

    Empty ones are left out, successive ones of one role joined; replies before anything is asked are left out.

    Args:
        entries: role and content, or ShareGPT's from and value; ``tool_calls`` as transformers' templates take them.
        place: where they stand.

    Raises:
        GroundupError: for what is no message, naming its place.
    """
    read = [_message(entry, f"{place} message {number}") for number, entry in enumerate(entries, start=1)]
    joined: list[Message] = []
    for number, message in enumerate(read, start=1):
        role = message["role"]
        if role == "tool":
            if not joined or not (joined[-1]["role"] == "tool" or "tool_calls" in joined[-1]):
                raise GroundupError(
                    f"{place} message {number}",
                    "a tool's result follows no call",
                    "give the assistant's message before it its tool_calls",
                )
            joined.append(message)
        elif not (message["content"].strip() or "tool_calls" in message):
            continue
        elif (
            joined
            and joined[-1]["role"] == role
            and not any("tool_calls" in m for m in (joined[-1], message))
        ):
            joined[-1] = {**message, "content": f"{joined[-1]['content']}\n{message['content']}"}
        elif role != "assistant" or any(m["role"] == "user" for m in joined):
            joined.append(message)
    return joined


def read_tools(value: Any, place: str) -> str:
    """The tools that a row offers, as JSON; nothing where it offers none.

    Args:
        value: JSON schemas, as a list or as JSON.
        place: where they stand.

    Raises:
        GroundupError: when they are no list of objects.
    """
    tools = _parsed(value, f"{place} tools") if isinstance(value, str) and value.strip() else value
    if not tools:
        return ""
    if not isinstance(tools, list) or not all(isinstance(tool, Mapping) for tool in tools):
        raise GroundupError(
            f"{place} tools", "they are no list of objects", "give a JSON schema for each tool"
        )
    return _written(tools, f"{place} tools")


def exchanges(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Everything up to and with each reply; a call of a tool, its result and what follows stay together.

    What no reply follows is left out.
    """
    part: list[Message] = []
    for number, message in enumerate(messages):
        part.append(message)
        follows = messages[number + 1]["role"] if number + 1 < len(messages) else ""
        if message["role"] == "assistant" and follows not in ("tool", "assistant"):
            yield part
            part = []


def opening(messages: Sequence[Message]) -> list[Message]:
    """Everything before the first reply."""
    first = next(i for i, message in enumerate(messages) if message["role"] == "assistant")
    return list(messages[:first])


def _message(entry: Any, where: str) -> Message:
    if not isinstance(entry, Mapping):
        raise GroundupError(where, "it is no object", 'write {"role": "user", "content": "…"}')
    role, content = entry.get("role", entry.get("from")), entry.get("content", entry.get("value"))
    if not isinstance(role, str) or role not in _ROLES:
        raise GroundupError(
            where,
            f"the role '{shown(role)}' is unknown ({nearest(str(role), _ROLES)})",
            "use system, user, assistant or tool",
        )
    calls = _calls(entry["tool_calls"], where) if entry.get("tool_calls") else ""
    if not isinstance(content, str) and not (content is None and calls):
        raise GroundupError(where, "its content is no text", "give every message its text as 'content'")
    refuse_surrogates(content or "", where)
    message = {"role": _ROLES[role], "content": content or ""}
    return {**message, "tool_calls": calls} if calls else message


def _calls(value: Any, where: str) -> str:
    """Calls of functions as transformers' templates take them: their arguments as an object."""
    calls = _parsed(value, where) if isinstance(value, str) else value
    read = []
    for call in calls if isinstance(calls, Sequence) else [calls]:
        function = call.get("function", call) if isinstance(call, Mapping) else call
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise GroundupError(
                where, "a tool call has no name", 'write {"function": {"name": "…", "arguments": {}}}'
            )
        arguments = function.get("arguments") or {}
        arguments = _parsed(arguments, where) if isinstance(arguments, str) else arguments
        given = {"name": function["name"], "arguments": arguments}
        identity = {"id": call["id"]} if isinstance(call.get("id"), str) else {}
        read.append({**identity, "type": "function", "function": given})
    return _written(read, where)


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GroundupError(where, f"it is no JSON ({first_line(error)[:80]})", "mend it") from error


def _written(value: Any, where: str) -> str:
    """As JSON, which Parquet may hold more than."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise GroundupError(where, f"it is no JSON ({first_line(error)[:80]})", "mend it") from error
    refuse_surrogates(text, where)
    return text
