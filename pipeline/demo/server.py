"""The page on this machine: started, told where it is, and stopped by Ctrl-C."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import GroundupError
from pipeline.processes import say

if TYPE_CHECKING:
    from pipeline.stages import Run

_HERE = ("127.0.0.1", "localhost", "[::1]")
_SWITCHES = ("GRADIO_ALLOWED_PATHS", "GRADIO_SHARE", "GRADIO_SERVER_NAME", "GRADIO_ROOT_PATH")
"""Variables by which Gradio would open more than is said here."""


@dataclass(frozen=True)
class Serving:
    """Where the page is."""

    port: int = 7860
    """Of this machine; 0 takes a free one."""
    host: str = "127.0.0.1"
    """Address to listen at. With another one than this machine's own, whoever reaches it can use the models."""


def serve(run: Run, serving: Serving) -> None:
    """Show the page until Ctrl-C.

    Raises:
        GroundupError: when no model is finished, Gradio is not installed, or the port is taken.
    """
    page = started(run, serving)
    say(f"{page.local_url} shows the models of {run.path}; Ctrl-C ends")
    if serving.host not in _HERE:
        say(
            f"warning: everybody who reaches {serving.host} can use them; there is no password and no encryption"
        )
    try:
        page.block_thread()
    finally:
        page.close()


def started(run: Run, serving: Serving) -> Any:
    """The page, being served: Gradio's ``Blocks``.

    Raises:
        GroundupError: when no model is finished, Gradio is not installed, or the port is taken.
    """
    _settle()
    try:
        import gradio  # noqa: F401
    except ImportError:
        raise GroundupError(
            "demo", "Gradio is not installed", "run make setup, or pip install 'groundup[demo]'"
        ) from None
    from starlette.middleware import Middleware

    from pipeline.demo.gate import Gate
    from pipeline.demo.page import CSS, page, theme
    from pipeline.demo.shelf import Shelf

    made = page(Shelf(run))
    hosts = _HERE if serving.host in _HERE else ()
    try:
        made.queue(default_concurrency_limit=1).launch(
            server_name=serving.host,
            server_port=serving.port or _free_port(serving.host),
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            show_error=False,
            footer_links=[],
            run_history=False,
            allowed_paths=[],
            max_file_size=0,
            enable_monitoring=False,
            strict_cors=True,
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
            app_kwargs={"middleware": [Middleware(Gate, hosts=hosts)]},
            theme=theme(),
            css=CSS,
        )
    except OSError as error:
        raise GroundupError(
            f"--port {serving.port}",
            f"nothing can listen there at {serving.host}",
            "name another, or --port 0",
        ) from error
    return made


def _settle() -> None:
    """Before Gradio is imported: no counting of users, nothing opened by variables, no proxy to this machine."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    for switch in _SWITCHES:
        os.environ.pop(switch, None)
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name, ""), "127.0.0.1,localhost"]))


def _free_port(host: str) -> int:
    import socket

    with socket.socket() as free:
        free.bind((host, 0))
        return int(free.getsockname()[1])
