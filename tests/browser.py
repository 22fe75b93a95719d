"""A real browser for tests of pages: headless Chromium, which reaches nothing but this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
_HERE = ("localhost", "127.0.0.1", "::1")
_WITHIN = ("file", "data", "blob", "about")
"""Schemes that no network is asked for."""
_NO_OTHER_HOST = ", ".join(["MAP * ~NOTFOUND", *(f"EXCLUDE {host}" for host in _HERE)])


@dataclass(frozen=True)
class Visit:
    """A page in the browser, and what it should not have done."""

    page: Page
    outside: list[str] = field(default_factory=list)
    """Addresses on other machines that it asked for; none of them was answered."""
    errors: list[str] = field(default_factory=list)
    """What the console called an error, and exceptions that nothing in the page has caught."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, started; the test is skipped where there is none.

    While it runs, ``asyncio.run`` fails in this thread, so have it for as long as one module's tests.
    """
    reason = "pages are tested in a browser by Playwright"
    sync_playwright = pytest.importorskip("playwright.sync_api", reason=reason).sync_playwright
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=program, args=[f"--host-resolver-rules={_NO_OTHER_HOST}"]
        )


@contextmanager
def visit(
    browser: Browser, address: str, width: int = 1280, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Visit]:
    """A page that is loaded in a window of its own.

    Args:
        browser: what ``chromium`` has started.
        address: ``file:`` or that of a server on this machine.
        width: of the window, in CSS pixels.
        scheme: what the reader prefers.
    """
    with browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    ) as context:
        context.set_default_timeout(10_000)
        page = context.new_page()
        found = Visit(page)

        def asked(address: str) -> None:
            parts = urlsplit(address)
            if parts.scheme not in _WITHIN and parts.hostname not in _HERE:
                found.outside.append(address)

        page.on("request", lambda request: asked(request.url))
        page.on("websocket", lambda socket: asked(socket.url))
        page.on("console", lambda said: found.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: found.errors.append(str(error)))
        page.goto(address)
        yield found
