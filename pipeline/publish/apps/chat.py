"""Talk to the model that settings.json names."""

import html
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import gradio as gr
from transformers import AutoModelForCausalLM, AutoTokenizer, TextIteratorStreamer

SETTINGS = json.loads((Path(__file__).parent / "settings.json").read_text("utf-8"))
tokenizer = AutoTokenizer.from_pretrained(SETTINGS["model"], revision=SETTINGS["revision"])
model = AutoModelForCausalLM.from_pretrained(SETTINGS["model"], revision=SETTINGS["revision"]).eval()
context = getattr(model.config, "max_position_embeddings", 1024)

Messages = list[dict[str, str]]


def harmless(text: str) -> str:
    """A text that no mark of a turn can be taken for."""
    for token in tokenizer.added_tokens_decoder.values():
        if token.special:
            text = text.replace(token.content, f"{token.content[:1]} {token.content[1:]}")
    return text


def prompt(system: str, messages: Messages) -> tuple[Any, Messages, int]:
    """The conversation's tokens, without its oldest exchanges where an answer would have no room; what is left."""
    first = [{"role": "system", "content": harmless(system)}] if system.strip() else []
    while True:
        ids = tokenizer.apply_chat_template(
            [*first, *messages], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        room = context - ids["input_ids"].shape[1]
        if room >= 32 or len(messages) < 3:
            return ids, messages, room
        messages = messages[2:]


def shown(messages: Messages, so_far: str = "") -> Messages:
    """For the page, which would take text for HTML."""
    said = [*messages, {"role": "assistant", "content": so_far}] if so_far else messages
    return [{**one, "content": html.escape(one["content"], quote=False)} for one in said]


def answer(
    messages: Messages, line: str, system: str, temperature: float, most: float
) -> Iterator[tuple[Any, ...]]:
    """The conversation as the answer grows."""
    if not line.strip():
        yield messages, shown(messages), line
        return
    ids, messages, room = prompt(system, [*messages, {"role": "user", "content": harmless(line.strip())}])
    if room < 1:
        yield messages[:-1], shown(messages[:-1], "That is longer than the model reads: write less."), line
        return
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    how: dict[str, Any] = (
        {"do_sample": True, "temperature": temperature, "top_p": 0.9} if temperature else {"do_sample": False}
    )
    options: dict[str, Any] = {**ids, **how, "max_new_tokens": min(int(most), room), "streamer": streamer}
    Thread(target=model.generate, kwargs=options, daemon=True).start()
    said = ""
    for piece in streamer:
        said += piece
        yield messages, shown(messages, said), ""
    messages = [*messages, {"role": "assistant", "content": harmless(said.strip())}]
    yield messages, shown(messages), ""


with gr.Blocks(title=SETTINGS["title"]) as demo:
    state = gr.State([])
    log = gr.Chatbot(label="Conversation", render_markdown=False, height=360)
    message = gr.Textbox(label="Your message", value="", lines=2)
    with gr.Row():
        send, forget = gr.Button("Send", variant="primary"), gr.Button("Forget")
    with gr.Accordion("How it answers", open=False):
        heat = gr.Slider(0, 2, value=0.3, step=0.05, label="Temperature", info="0 takes the likeliest token.")
        longest = gr.Slider(1, 512, value=256, step=1, label="Tokens at most")
        instruction = gr.Textbox(label="System message", value=SETTINGS["instruction"], lines=2)
    for ask in (send.click, message.submit):
        ask(answer, [state, message, instruction, heat, longest], [state, log, message])
    forget.click(lambda: ([], [], ""), None, [state, log, message])

if __name__ == "__main__":
    demo.launch()
