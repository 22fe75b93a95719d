"""Tabs of tasks that are asked once: a text, a pair or a question goes in, and what the task makes of it comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from pipeline.demo.explaining import why_button
from pipeline.demo.saying import ALONE, note, noted
from pipeline.demo.shelf import Shelf
from pipeline.inference.finished import Finished
from pipeline.tasks.base import Ask, Example, Prediction, Task

_LINES = 4
_NOTHING = "no answer in this text"


@dataclass(frozen=True)
class Result:
    """How a kind of task shows what it says."""

    button: str
    components: Callable[[], list[Any]]
    values: Callable[[Finished, Example, Prediction], list[Any]]


def ask_tab(shelf: Shelf, name: str, task: Task) -> None:
    """Build the tab of a finished task, within a page.

    Args:
        shelf: where its model is.
        name: of the task.
        task: with the settings that it was trained with.
    """
    result = _RESULTS.get(task.pipeline_tag, _TEXT)
    inputs = [_input(field, ask) for field, ask in task.asks.items()]

    def answer(*given: str | None) -> Iterator[list[Any]]:
        example = task.asked_by(dict(zip(task.asks, (text or "" for text in given), strict=True)))
        made = shelf.finished(name)
        (prediction,) = made.task.predict(made.model, made.tokenizer, [example])
        yield result.values(made, example, prediction)

    with gr.Row():
        button = gr.Button(result.button, variant="primary")
        _example_button(shelf.examples(name), task, inputs)
    problem, outputs = note(), result.components()
    work, all_outputs = noted(answer, len(outputs)), [*outputs, problem]
    for ask in [button.click, *(field.submit for field in inputs if isinstance(field, gr.Textbox))]:
        ask(work, inputs, all_outputs, **ALONE)
    why_button(shelf, name, task, inputs)


def _input(field: str, ask: Ask) -> Any:
    label = field.capitalize() + (" (may be empty)" if ask.optional else "")
    if ask.choices:
        return gr.Radio(list(ask.choices), value=ask.choices[0], label=label)
    return gr.Textbox(label=label, lines=1 if field == "question" else _LINES, max_lines=12)


def _example_button(examples: Sequence[Mapping[str, Any]], task: Task, inputs: list[Any]) -> None:
    """A button that fills in one held-out example after the other."""
    if not examples:
        return
    number = gr.State(-1)

    def fill(before: int) -> list[Any]:
        now = (before + 1) % len(examples)
        fields = examples[now]
        read = {"text": task.input_text(Example(fields, place="", group="")), **fields}
        return [now, *(str(read.get(field, "")) for field in task.asks)]

    button = gr.Button("Fill in a held-out example")
    button.click(fill, number, [number, *inputs], api_visibility="private", show_progress="hidden")


def _said(label: str, lines: int = 1) -> gr.Textbox:
    return gr.Textbox(label=label, interactive=False, lines=lines, max_lines=20)


def _classified(made: Finished, example: Example, prediction: Prediction) -> list[Any]:
    """What is said, and a bar for each label's probability; labels with thresholds are told with them."""
    (likely,) = made.task.likely(made.model, made.tokenizer, [example])
    said = prediction["prediction"]
    if isinstance(said, float):
        said = f"{prediction['grade']:g}  ({said:.2f})" if "grade" in prediction else f"{said:.3f}"
    text = ", ".join(said) or "none of the labels" if isinstance(said, list) else str(said)
    thresholds = [
        f"{label}: {one.probability:.3f} {'≥' if one.probability >= one.threshold else '<'} {one.threshold:.3f}"
        for label, one in likely.items()
        if one.threshold is not None
    ]
    bars = {label: one.probability for label, one in likely.items()}
    return [
        text,
        gr.update(value=bars or None, visible=bool(bars)),
        gr.update(value="\n".join(thresholds), visible=bool(thresholds)),
    ]


def _classes() -> list[Any]:
    thresholds = _said("Probability and threshold of each label", lines=2)
    thresholds.visible = False
    return [_said("The model says"), gr.Label(label="Probabilities", show_heading=False), thresholds]


def _found(made: Finished, example: Example, prediction: Prediction) -> list[Any]:
    """The answer, its place in the context, and the next best ones."""
    context, start, end = example.fields["context"], prediction["start"], prediction["end"]
    parts = [(context[:start], None), (context[start:end], "answer"), (context[end:], None)]
    best = "\n".join(f"{one['probability']:.3f}  {one['text'] or _NOTHING}" for one in prediction["n_best"])
    marked = [(text, label) for text, label in parts if text]
    return [f"{prediction['prediction'] or _NOTHING}  ({prediction['probability']:.3f})", marked, best]


def _spans() -> list[Any]:
    marked = gr.HighlightedText(label="Where it stands", color_map={"answer": "#ffd24d"}, show_legend=False)
    return [_said("Answer (probability)"), marked, _said("The likeliest answers", lines=3)]


def _written(made: Finished, example: Example, prediction: Prediction) -> list[Any]:
    return [str(prediction["prediction"]) or "(nothing)"]


_TEXT = Result("Ask", lambda: [_said("The model writes", lines=3)], _written)
_RESULTS = {
    "text-classification": Result("Classify", _classes, _classified),
    "question-answering": Result("Answer", _spans, _found),
    "translation": Result("Translate", _TEXT.components, _written),
    "summarization": Result("Summarise", _TEXT.components, _written),
}
"""By the Hub's name for what a model does; another task that can be asked writes text."""
