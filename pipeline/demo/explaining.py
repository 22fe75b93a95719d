"""Why a model said what it said: words in colours, and never without how far these can be believed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from pipeline.demo.saying import ALONE, note, noted
from pipeline.demo.shelf import Shelf
from pipeline.explain.asked import ATTENTION_ROLLOUT, INTEGRATED_GRADIENTS
from pipeline.explain.explanation import Attribution, Explanation, explain
from pipeline.explain.page import Piece, pieces
from pipeline.explain.sentences import completeness, headlines, what_was_said
from pipeline.tasks.base import Task

_METHODS = (INTEGRATED_GRADIENTS, ATTENTION_ROLLOUT)
_GREATEST = 5
"""Words of each method that are told with their scores, for whoever sees no colours."""


def why_button(shelf: Shelf, name: str, task: Task, inputs: list[Any]) -> None:
    """Build the button and what it shows, within the tab of a finished task.

    Args:
        shelf: where its model is.
        name: of the task.
        task: with the settings that it was trained with.
        inputs: fields of what it asks, in that order.
    """
    button, problem = gr.Button("Why did it say that?"), note()
    told = gr.Textbox(
        label="How far the colours can be believed", interactive=False, visible=False, max_lines=20
    )
    drawn = [
        gr.HighlightedText(label=f"By {method}: red for it, blue against", visible=False)
        for method in _METHODS
    ]

    def explained(*given: str | None) -> Iterator[list[Any]]:
        texts = dict(zip(task.asks, (text or "" for text in given), strict=True))
        task.asked_by(texts)  # what is missing is told before the model is loaded
        made = shelf.finished(name)
        found = explain(made.task, made.model, made.tokenizer, texts)
        yield [gr.update(value=sentences(found), visible=True), *(_colours(found, m) for m in _METHODS)]

    outputs = [told, *drawn]
    button.click(noted(explained, len(outputs)), inputs, [*outputs, problem], **ALONE)


def sentences(found: Explanation) -> str:
    """What was explained, whether each method does better than chance, and the words with the greatest scores."""
    lines = [*headlines(found), what_was_said(found)]
    for one in found.attributions:
        words = [piece for name in found.texts for piece in pieces(one, found, name) if piece.score]
        first = sorted(words, key=lambda piece: -abs(piece.score or 0))[:_GREATEST]
        lines += [f"{one.method}: " + ", ".join(map(_scored, first)), completeness(one)]
    return "\n".join(line for line in (*lines, *found.left_out) if line)


def _scored(piece: Piece) -> str:
    return f"{piece.text!r} {piece.score:+.3f}"


def _colours(found: Explanation, method: str) -> Any:
    """Every text that was read, with a share of the greatest score beside each word."""
    one = next((one for one in found.attributions if one.method == method), None)
    return gr.update(visible=False) if one is None else gr.update(value=_marked(found, one), visible=True)


def _marked(found: Explanation, one: Attribution) -> list[tuple[str, float | None]]:
    marked: list[tuple[str, float | None]] = []
    for name in found.texts:
        if len(found.texts) > 1:
            marked.append((f"{name}: ", None))
        marked += [(p.text, None if p.score is None else p.share) for p in pieces(one, found, name)]
        marked.append(("\n", None))
    return marked
