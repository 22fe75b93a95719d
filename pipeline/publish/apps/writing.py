"""Ask the model that settings.json names, with a prompt of its training, and show what it writes."""

import json
import re
from pathlib import Path

import gradio as gr
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

SETTINGS = json.loads((Path(__file__).parent / "settings.json").read_text("utf-8"))
PROMPTS = SETTINGS["prompts"]
reads = SETTINGS["reads"]
tokenizer = AutoTokenizer.from_pretrained(SETTINGS["model"], revision=SETTINGS["revision"])
model = (
    (AutoModelForSeq2SeqLM if reads else AutoModelForCausalLM)
    .from_pretrained(SETTINGS["model"], revision=SETTINGS["revision"])
    .eval()
)
context = getattr(model.config, "max_position_embeddings", 1024)


@torch.no_grad()
def write(form: str, *given: str) -> str:
    """What the model writes, once the given texts stand in the prompt."""
    texts = dict(zip(SETTINGS["fields"], given, strict=True))
    needed = re.findall(r"\{(\w+)\}", PROMPTS[form])
    if not all(texts[name].strip() for name in needed):
        return f"Write something first: {', '.join(needed)}."
    prompt = re.sub(r"\{(\w+)\}", lambda found: texts[found[1]].strip(), PROMPTS[form])
    inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=reads, split_special_tokens=True)
    length = inputs["input_ids"].shape[1]
    if length >= context:
        return f"This is {length} tokens, and the model reads {context - 1}: write less."
    most = min(model.generation_config.max_new_tokens or 64, context if reads else context - length)
    ids = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    output = model.generate(**ids, max_new_tokens=most, do_sample=False)[0, 0 if reads else length :]
    return tokenizer.decode(output, skip_special_tokens=True).strip() or "(nothing)"


with gr.Blocks(title=SETTINGS["title"]) as demo:
    form = gr.Radio(list(PROMPTS), value=next(iter(PROMPTS)), label="Into or from", visible=len(PROMPTS) > 1)
    fields = [gr.Textbox(label=name.capitalize(), value="", lines=4) for name in SETTINGS["fields"]]
    button = gr.Button("Ask", variant="primary")
    written = gr.Textbox(label="The model writes", lines=3, info=SETTINGS["note"])
    button.click(write, [form, *fields], written)

if __name__ == "__main__":
    demo.launch()
