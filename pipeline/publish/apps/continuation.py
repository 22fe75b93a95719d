"""Let the model that settings.json names continue a text, and see how likely each next token is."""

import json
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

SETTINGS = json.loads((Path(__file__).parent / "settings.json").read_text("utf-8"))
tokenizer = AutoTokenizer.from_pretrained(SETTINGS["model"], revision=SETTINGS["revision"])
model = AutoModelForCausalLM.from_pretrained(SETTINGS["model"], revision=SETTINGS["revision"]).eval()
context = getattr(model.config, "max_position_embeddings", 1024)
SIGNS = str.maketrans({" ": "␣", "\n": "⏎", "\t": "⇥"})


def read(text: str) -> dict[str, Any]:
    """Its tokens, the last ones where they are more than the model reads; what begins a text where there are none."""
    begin = tokenizer.bos_token or tokenizer.eos_token
    plain = bool(text)
    ids = tokenizer(text or begin, return_tensors="pt", add_special_tokens=False, split_special_tokens=plain)
    return {
        "input_ids": ids["input_ids"][:, 1 - context :],
        "attention_mask": ids["attention_mask"][:, 1 - context :],
    }


@torch.no_grad()
def likeliest(text: str) -> dict[str, float]:
    """The ten likeliest next tokens and their probabilities."""
    found = model(**read(text)).logits[0, -1].float().softmax(-1).topk(10)
    tokens = [tokenizer.decode([number]).translate(SIGNS) for number in found.indices.tolist()]
    numbered = [
        token if token and tokens.count(token) == 1 else f"{token} ({number})"
        for token, number in zip(tokens, found.indices.tolist(), strict=True)
    ]
    return dict(zip(numbered, found.values.tolist(), strict=True))


@torch.no_grad()
def continued(text: str, temperature: float, most: float) -> str:
    """The text, and how it goes on."""
    ids = read(text)
    length = ids["input_ids"].shape[1]
    how: dict[str, Any] = (
        {"do_sample": True, "temperature": temperature, "top_p": 0.9} if temperature else {"do_sample": False}
    )
    written = model.generate(**ids, **how, max_new_tokens=min(int(most), context - length))
    return text + tokenizer.decode(written[0, length:], skip_special_tokens=True)


with gr.Blocks(title=SETTINGS["title"]) as demo:
    text = gr.Textbox(label="Text", value=SETTINGS["prompt"], lines=6)
    with gr.Row():
        look, go = gr.Button("Next tokens", variant="primary"), gr.Button("Continue")
    bars = gr.Label(label="Probability of the next token", show_heading=False, num_top_classes=10)
    with gr.Accordion("How it continues", open=False):
        heat = gr.Slider(0, 2, value=0.3, step=0.05, label="Temperature", info="0 takes the likeliest token.")
        longest = gr.Slider(1, 512, value=64, step=1, label="Tokens at most")
    look.click(likeliest, text, bars)
    go.click(continued, [text, heat, longest], text)

if __name__ == "__main__":
    demo.launch()
