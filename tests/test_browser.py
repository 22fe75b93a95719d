"""What the browser of the tests sees of a page that misbehaves."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.browser import visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MISBEHAVES = """<!DOCTYPE html><title>bad</title>
<link rel="stylesheet" href="https://fonts.example.org/a.css">
<img src="ELSEWHERE/pixel.png">
<script>
  fetch("https://cdn.example.org/data.json").catch(() => document.title = "blocked");
  new WebSocket("wss://live.example.org/");
  undefinedFunction();
</script>
"""


class _Server(HTTPServer):
    """Counts what it is asked for."""

    asked = 0

    def finish_request(self, *_: object) -> None:
        self.asked += 1


@pytest.fixture
def elsewhere() -> Iterator[_Server]:
    """A server that answers at an address that is not this machine's usual one."""
    with _Server(("127.0.0.2", 0), BaseHTTPRequestHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_requests_to_other_machines_are_told_and_not_answered(
    browser: Browser, elsewhere: _Server, tmp_path: Path
) -> None:
    file, address = tmp_path / "bad.html", f"http://127.0.0.2:{elsewhere.server_port}"
    file.write_text(MISBEHAVES.replace("ELSEWHERE", address))
    with visit(browser, file.as_uri()) as seen:
        seen.page.wait_for_function("document.title == 'blocked'")
        assert sorted(seen.outside) == [
            f"{address}/pixel.png",
            "https://cdn.example.org/data.json",
            "https://fonts.example.org/a.css",
            "wss://live.example.org/",
        ]
        assert elsewhere.asked == 0
        assert any("undefinedFunction is not defined" in error for error in seen.errors)


def test_a_page_that_behaves_has_nothing_to_tell(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "good.html"
    file.write_text(
        "<!DOCTYPE html><title>good</title><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>"
    )
    with visit(browser, file.as_uri(), width=390, scheme="dark") as seen:
        assert seen.page.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]") == [
            390,
            True,
        ]
        assert (seen.outside, seen.errors) == ([], [])
