"""Conversations of the package chitchat-dataset: a row a conversation, as messages."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pipeline.sources.base import Row, package_files, reads_installed


@reads_installed("chitchat", "chitchat-dataset", licence="MIT")
def read_chitchat() -> Iterator[Row]:
    """Column ``messages``: the turns of two people, who take the parts of user and assistant in order."""
    for path in package_files("chitchat_dataset/dataset.json"):
        for identity, conversation in json.loads(path.read_text("utf-8")).items():
            turns = ["\n".join(m["text"] for m in turn if m["text"]) for turn in conversation["messages"]]
            messages = [
                {"role": ("user", "assistant")[number % 2], "content": text}
                for number, text in enumerate(turns)
            ]
            if sum(bool(text.strip()) for text in turns) > 1:  # somebody answered
                yield Row({"messages": messages}, f"{path.name} {identity}", group=identity)
