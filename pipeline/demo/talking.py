"""The tab of models that hold conversations."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from pipeline.demo.saying import ALONE, note, noted
from pipeline.demo.shelf import Shelf
from pipeline.errors import GroundupError
from pipeline.inference.commands import Talk
from pipeline.inference.sampling import Sampling
from pipeline.inference.speaker import Conversation


def talk_tab(shelf: Shelf, names: list[str]) -> None:
    """Build the tab, within a page.

    Args:
        shelf: where the models are.
        names: of those that converse, at least one: a task, dpo, grpo.
    """
    # Kept by the server: what a browser sent back as a conversation could name files.
    state = gr.State(lambda: Conversation())
    worn = shelf.adapters(names[0])
    chosen = gr.Radio(names, value=names[0], label="Model", visible=len(names) > 1)
    adapter = gr.Dropdown(worn, value=_worn(shelf, names[0], worn), label="Adapter", visible=bool(worn))
    log = gr.Chatbot(label="Conversation", render_markdown=False, height=320, buttons=[], latex_delimiters=[])
    problem = note()
    message = gr.Textbox(label="Your message", value="", lines=2, max_lines=8)
    with gr.Row():
        send = gr.Button("Send", variant="primary", min_width=90)
        stop, reset = gr.Button("Stop", min_width=90), gr.Button("Forget", min_width=90)
    bounds = gr.Textbox(label="What the model remembers", interactive=False, max_lines=2)
    with gr.Accordion("How it answers", open=False):
        settings = sampling_inputs(shelf, names[0])
        told = "Tells the model how to answer; may be empty."
        system = gr.Textbox(label="System message", value="", lines=2, info=told)

    def answer(
        talk: Conversation, name: str, dress: str | None, line: str, instruction: str, *values: Any
    ) -> Iterator[list[Any]]:
        if not line.strip():
            raise GroundupError("your message", "it is empty", "write something")
        sampling, so_far = sampling_of(*values), ""
        speaker = shelf.speaker(name)
        if dress and speaker.wardrobe and speaker.wardrobe.worn != dress:
            speaker.wear(dress)
        talk.system = instruction.strip()
        for piece in speaker.reply(talk, line.strip(), sampling):
            so_far += piece
            yield [talk, [*_shown(talk), _message("assistant", so_far)], "", gr.skip()]
        yield [talk, _shown(talk), "", Talk(speaker, sampling, talk).bounds]

    inputs = [state, chosen, adapter, message, system, *settings]
    outputs = [state, log, message, bounds]
    work, all_outputs = noted(answer, len(outputs)), [*outputs, problem]
    begun = [ask(work, inputs, all_outputs, **ALONE) for ask in (send.click, message.submit)]
    stop.click(None, cancels=begun, api_visibility="private")
    reset.click(lambda: (Conversation(), [], "", ""), None, outputs, cancels=begun, api_visibility="private")


def _worn(shelf: Shelf, name: str, worn: list[str]) -> str | None:
    settings = shelf.run.recipe.tasks.get(name)
    return settings.adapter.name if worn and settings else None


def _shown(talk: Conversation) -> list[gr.ChatMessage]:
    return [_message(one["role"], one["content"]) for one in talk.messages]


def _message(role: Any, text: str) -> gr.ChatMessage:
    """Text for the conversation; even without Markdown, Gradio takes it for HTML, without its scripts."""
    return gr.ChatMessage(role=role, content=html.escape(text, quote=False))


def sampling_inputs(shelf: Shelf, name: str) -> list[Any]:
    """Inputs for each setting of ``Sampling``, that begin with what the model samples by."""
    default = Sampling()
    temperature, top_p = default.chosen(shelf.generation(name))
    seeded = "The same seed, the same answer; empty: by chance."
    return [
        gr.Slider(
            0, 2, value=temperature, step=0.05, label="Temperature", info="0 takes the likeliest token."
        ),
        gr.Slider(
            0.05, 1, value=top_p, step=0.05, label="Top-p", info="Share of probability that is drawn from."
        ),
        gr.Slider(1, 512, value=default.max_new_tokens, step=1, label="Tokens at most"),
        gr.Textbox(label="Seed", value="", max_lines=1, info=seeded),
    ]


def sampling_of(temperature: float, top_p: float, most: float, seed: str) -> Sampling:
    """The settings that a person has chosen.

    Raises:
        GroundupError: for a seed that is none.
    """
    return Sampling(temperature, top_p, int(most)).checked().changed("seed", seed.strip() or "none")
