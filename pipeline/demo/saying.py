"""What goes wrong, told to a person in the browser: as text, whatever it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from pipeline.errors import GroundupError

ALONE: dict[str, Any] = {
    "concurrency_limit": 1, "concurrency_id": "models", "api_visibility": "private", "show_progress": "minimal",
}  # fmt: skip
"""Of an event that computes: one after the other, whoever asks, and not told to other programs."""

Work = Callable[..., Iterator[Sequence[Any]]]


def note() -> gr.Textbox:
    """A field for it, which is there when it is needed. Gradio's own notices would take it for HTML, and go away."""
    return gr.Textbox(label="Note", interactive=False, visible=False, max_lines=6)


def noted(work: Work, outputs: int) -> Work:
    """Work with one output more, a ``note``: errors that a person can mend are told there.

    Args:
        work: gives values of its outputs, once or again and again.
        outputs: how many it has.
    """

    def both(*given: Any) -> Iterator[list[Any]]:
        unchanged = [gr.skip()] * outputs
        yield [*unchanged, gr.update(visible=False)]
        try:
            for values in work(*given):
                yield [*values, gr.skip()]
        except GroundupError as error:
            yield [*unchanged, gr.update(value=str(error), visible=True)]

    return both
