"""What of the web server is open: the page and what it needs, to this machine, and no file."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_OPEN = {
    "GET": re.compile(
        r"/|/config|/theme\.css|/favicon\.ico|/manifest\.json|/(assets|static)/[\w./-]+"
        r"|/gradio_api/(startup-events|app_id|queue/data|heartbeat/\w+)"
    ),
    "POST": re.compile(r"/gradio_api/(queue/join|cancel|reset)/?"),
}
"""Paths of Gradio's server that the page asks for. Uploads, files, the proxy and the description of the API are not."""
_HEADERS = {
    # Gradio's page has scripts and styles within itself, and makes workers and pictures of its own.
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class Gate:
    """ASGI middleware.

    Args:
        app: behind it.
        hosts: names that the page may be asked for by. A page of somebody else whose name was made to point to this
            machine (DNS rebinding) has another one. Empty lets in all.
    """

    def __init__(self, app: App, hosts: Sequence[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 404 or 421."""
        if scope["type"] == "websocket":
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif not self._knows(scope):
            await _refused(send, 421)
        elif not _is_open(scope):
            await _refused(send, 404)
        else:
            await self.app(scope, receive, _told(send))

    def _knows(self, scope: Scope) -> bool:
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        return not self.hosts or re.sub(r":\d+$", "", host) in self.hosts


def _is_open(scope: Scope) -> bool:
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    path = scope["path"]
    return method in _OPEN and bool(_OPEN[method].fullmatch(path)) and ".." not in path


def _told(send: Send) -> Send:
    """Answers with our headers."""

    async def told(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message.get("headers", []),
                *((name.encode(), value.encode()) for name, value in _HEADERS.items()),
            ]
        await send(message)

    return told


async def _refused(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
