"""Classify a text, or a pair of texts, with the model that settings.json names."""

import json
from pathlib import Path

import gradio as gr
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

SETTINGS = json.loads((Path(__file__).parent / "settings.json").read_text("utf-8"))
tokenizer = AutoTokenizer.from_pretrained(SETTINGS["model"], revision=SETTINGS["revision"])
model = AutoModelForSequenceClassification.from_pretrained(
    SETTINGS["model"], revision=SETTINGS["revision"]
).eval()
names = [model.config.id2label[number] for number in range(model.config.num_labels)]


@torch.no_grad()
def classify(*texts: str) -> tuple[str, dict[str, float] | None]:
    """What the model says, and the probability of each label where it has any."""
    if not all(text.strip() for text in texts):
        return "Write something first.", None
    logits = model(**tokenizer(*texts, truncation=True, return_tensors="pt")).logits[0].float()
    config = model.config
    if config.problem_type == "regression":
        low, high = config.grades[0], config.grades[-1]
        return f"{min(max(float(logits[0]), low), high):.3f}", None
    grades = getattr(config, "grades", None)
    if grades:  # the probabilities of being above each grade but the highest
        above = [1.0, *logits.sigmoid().tolist(), 0.0]
        shares = {f"{g:g}": max(0.0, above[i] - above[i + 1]) for i, g in enumerate(grades)}
        return f"{grades[sum(chance >= 0.5 for chance in above[1:-1])]:g}", shares
    if config.problem_type == "multi_label_classification":
        chances = dict(zip(names, logits.sigmoid().tolist(), strict=True))
        thresholds = getattr(config, "decision_thresholds", None) or {}
        above_it = [name for name, chance in chances.items() if chance >= thresholds.get(name, 0.5)]
        return ", ".join(above_it) or "none of the labels", chances
    likely: dict[str, float] = dict(zip(names, logits.softmax(-1).tolist(), strict=True))
    said = max(likely, key=likely.__getitem__)
    for rarer, threshold in (getattr(config, "decision_threshold", None) or {}).items():
        (other,) = set(names) - {rarer}
        said = rarer if likely[rarer] >= threshold else other
    return said, likely


with gr.Blocks(title=SETTINGS["title"]) as demo:
    inputs = [gr.Textbox(label=field.capitalize(), value="", lines=4) for field in SETTINGS["fields"]]
    button = gr.Button("Classify", variant="primary")
    outputs = [gr.Textbox(label="The model says"), gr.Label(label="Probabilities", show_heading=False)]
    button.click(classify, inputs, outputs)

if __name__ == "__main__":
    demo.launch()
