"""Time limits of the one client that huggingface_hub, and so all libraries that use it, ask the Hub by."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterator

from httpx2 import ReadError, Request, Response, SyncByteStream
from huggingface_hub.utils import get_session, set_client_factory

_SILENCE = float(os.environ.get("HF_HUB_DOWNLOAD_TIMEOUT") or 60)
"""Seconds without a byte after which a connection is given up, where huggingface_hub sets no limit of its own."""
_LEAST = 1_000
"""Bytes in that time below which an answer trickles, and is given up too."""


@functools.cache
def set_limits() -> None:
    """Let the client of huggingface_hub, and so of all libraries that use it, wait for nothing endlessly."""
    session = get_session()
    client, hooks = type(session), session.event_hooks
    requests, answers = [*hooks["request"], _limit], [*hooks["response"], _pace]
    set_client_factory(
        lambda: client(
            event_hooks={"request": requests, "response": answers}, follow_redirects=True, timeout=None
        )
    )


def _limit(request: Request) -> None:
    given = request.extensions.get("timeout", {})
    limits = {part: given.get(part) or _SILENCE for part in ("connect", "read", "write")}
    request.extensions["timeout"] = {**given, **limits}


def _pace(answer: Response) -> None:
    if isinstance(answer.stream, SyncByteStream):
        answer.stream = _Paced(answer.stream)


class _Paced(SyncByteStream):
    """The content of an answer, as long as more than a trickle of it comes."""

    def __init__(self, content: SyncByteStream) -> None:
        self.content = content

    def __iter__(self) -> Iterator[bytes]:
        since, arrived = time.monotonic(), 0
        for piece in self.content:
            yield piece
            arrived += len(piece)
            if time.monotonic() - since > _SILENCE:
                if arrived < _LEAST:
                    raise ReadError(f"{arrived} bytes in {_SILENCE:.0f} s")
                since, arrived = time.monotonic(), 0

    def close(self) -> None:
        self.content.close()
