"""Find the answer to a question in a text with the model that settings.json names."""

import json
from pathlib import Path

import gradio as gr
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

SETTINGS = json.loads((Path(__file__).parent / "settings.json").read_text("utf-8"))
tokenizer = AutoTokenizer.from_pretrained(SETTINGS["model"], revision=SETTINGS["revision"])
model = AutoModelForQuestionAnswering.from_pretrained(SETTINGS["model"], revision=SETTINGS["revision"]).eval()
has_cls = tokenizer.cls_token_id in tokenizer("")["input_ids"]
"""Whether a token at the beginning stands for "no answer"; else the last one does."""
NOTHING = "no answer in this text"


@torch.no_grad()
def find(question: str, context: str) -> tuple[float, int, int]:
    """The answer's score above that of "no answer", and its place in the context."""
    windows = tokenizer(
        question + ("" if has_cls else "\n"),
        context,
        truncation="only_second",
        max_length=tokenizer.model_max_length - (not has_cls),
        stride=tokenizer.model_max_length // 4,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_token_type_ids=True,
        split_special_tokens=True,
    )
    found: list[tuple[float, int, int]] = []
    nothing: list[float] = []
    for number, ids in enumerate(windows["input_ids"]):
        spans, parts = windows["offset_mapping"][number], windows.sequence_ids(number)
        inputs = {"input_ids": ids if parts[-1] is None else [*ids, tokenizer.eos_token_id]}
        if has_cls and getattr(model.config, "type_vocab_size", 0) > 1:
            inputs["token_type_ids"] = windows["token_type_ids"][number]
        output = model(**{name: torch.tensor([value]) for name, value in inputs.items()})
        starts, ends = output.start_logits[0].tolist(), output.end_logits[0].tolist()
        none = ids.index(tokenizer.cls_token_id) if has_cls else -1
        nothing.append(starts[none] + ends[none])
        places = [p for p, span in enumerate(spans) if parts[p] == 1 and context[slice(*span)].strip()]
        for i, first in enumerate(places):
            for last in places[i : i + SETTINGS["longest_answer"]]:
                found.append((starts[first] + ends[last], spans[first][0], spans[last][1]))
    score, start, end = max(found)
    return score - min(nothing), start, end


def answer(question: str, context: str) -> tuple[str, list[tuple[str, str | None]]]:
    """The answer, and the context with the answer marked."""
    if not question.strip() or not context.strip():
        return "Write a question and a text first.", []
    margin, start, end = find(question, context)
    if margin <= getattr(model.config, "no_answer_threshold", 0.0):
        return NOTHING, [(context, None)]
    while start < end and context[start].isspace():
        start += 1
    parts: list[tuple[str, str | None]] = [
        (context[:start], None),
        (context[start:end], "answer"),
        (context[end:], None),
    ]
    return context[start:end].strip(), [part for part in parts if part[0]]


with gr.Blocks(title=SETTINGS["title"]) as demo:
    question = gr.Textbox(label="Question", value="")
    context = gr.Textbox(label="Context", value="", lines=8)
    button = gr.Button("Answer", variant="primary")
    said = gr.Textbox(label="Answer")
    marked = gr.HighlightedText(label="Where it stands", color_map={"answer": "#ffd24d"})
    button.click(answer, [question, context], [said, marked])

if __name__ == "__main__":
    demo.launch()
