"""The tab of the pre-trained model: it continues a text, and shows how likely each next token is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from pipeline.demo.saying import ALONE, note, noted
from pipeline.demo.shelf import Shelf
from pipeline.demo.talking import sampling_inputs, sampling_of
from pipeline.inference.next_token import Next, likeliest

_SHOWN = 10


def continue_tab(shelf: Shelf) -> None:
    """Build the tab, within a page."""
    prompts = shelf.run.recipe.pretrain.prompts
    text = gr.Textbox(label="Text", value=prompts[0] if prompts else "", lines=6, max_lines=20)
    with gr.Row():
        look = gr.Button("Next tokens", variant="primary", min_width=90)
        go, stop = gr.Button("Continue", min_width=90), gr.Button("Stop", min_width=90)
    problem = note()
    bars = gr.Label(label="Probability of the next token", show_heading=False, num_top_classes=_SHOWN)
    choice = gr.Radio([], label="One of them", info="␣ is a blank, ⏎ the end of a line.", visible=False)
    take = gr.Button("Add the chosen token", visible=False)
    with gr.Accordion("How it continues", open=False):
        settings = sampling_inputs(shelf, "")

    def next_tokens(so_far: str) -> Iterator[list[Any]]:
        found = likeliest(shelf.speaker(""), so_far, _SHOWN)
        names = dict(zip(_names(found), found, strict=True))
        choices = [(f"{name}  {one.probability:.1%}", one.text) for name, one in names.items()]
        yield [
            {name: one.probability for name, one in names.items()},
            gr.update(choices=choices, value=found[0].text, visible=True),
            gr.update(visible=True),
        ]

    def added(so_far: str, token: str | None) -> Iterator[list[Any]]:
        longer = so_far + (token or "")
        for values in next_tokens(longer):
            yield [longer, *values]

    def continued(so_far: str, *values: Any) -> Iterator[list[Any]]:
        for piece in shelf.speaker("").continued(so_far, sampling_of(*values)):
            so_far += piece
            yield [so_far]

    shown = [bars, choice, take, problem]
    look.click(noted(next_tokens, 3), text, shown, **ALONE)
    take.click(noted(added, 4), [text, choice], [text, *shown], **ALONE)
    begun = go.click(noted(continued, 1), [text, *settings], [text, problem], **ALONE)
    stop.click(None, cancels=[begun], api_visibility="private")


def _names(found: list[Next]) -> list[str]:
    """Tokens as a person can tell them apart; two that are written alike get their numbers."""
    plain = [one.visible for one in found]
    return [
        name if plain.count(name) == 1 else f"{name} ({one.id})"
        for name, one in zip(plain, found, strict=True)
    ]
