"""The verb that asks a model why it said what it said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.checks.refusal import require
from pipeline.errors import GroundupError
from pipeline.recipe import ALIGNED
from pipeline.verbs.common import ADAPTER_SHORT, Common, Verb, chosen_tasks

if TYPE_CHECKING:
    from pipeline.evaluate.said import Wanted
    from pipeline.explain.asked import Asked
    from pipeline.explain.explanation import Explanation
    from pipeline.stages import Run

_TEXTS = ("text", "pair", "question", "context", "into")
_ORDERS, _ORDERS_OF_MANY = 20, 5


@dataclass(frozen=True)
class Explain:
    """What explain takes beside."""

    text: str = ""
    """The text to read; without any the surest mistakes on the held-out part are explained."""
    pair: str = ""
    """The second of two texts."""
    question: str = ""
    """A question, of tasks that answer one."""
    context: str = ""
    """The text that it is asked of."""
    into: str = ""
    """The language to write, of translation in both directions."""
    target: str = ""
    """Explain this class, this answer or this text, and not what the model says itself."""
    token: int = 0
    """Of what is written explain the token of this number, from 1; 0 takes all of it, the pre-trained model's next."""
    method: tuple[str, ...] = ("integrated-gradients", "attention-rollout")
    """Methods of attribution."""
    steps: int = 64
    """Of integrated gradients: steps along the path."""
    baseline: Literal["mean", "padding"] = "mean"
    """Of integrated gradients: each token of the text begins as the mean of all embeddings, or as padding."""
    fractions: int = 10
    """Parts in which tokens are taken away."""
    orders: int = 0
    """Random orders to compare with; 0 takes 20, and 5 for each of many held-out examples."""
    worst: int = 3
    """Without a text: so many of the surest mistakes."""
    held_out: int = 0
    """Measure how faithful the methods are on so many held-out examples."""
    out: Path | None = None
    """Write a page of HTML too."""


def _explain(common: Common, run: Run, options: Explain) -> None:
    from pipeline.evaluate.said import Wanted

    _check(options)
    task, wanted = _task(common, run), Wanted(options.target, options.token)
    if options.held_out:
        from pipeline.inference.explaining import measure_explanations
        from pipeline.report.faithfulness import print_faithfulness

        asked = _asked(options, run, _ORDERS_OF_MANY)
        print_faithfulness(measure_explanations(run, task, options.held_out, wanted, asked))
        return
    from pipeline.explain.terminal import print_explanation

    found: list[Explanation] = []
    for title, explanation in _explanations(run, task, options, wanted):
        if title:
            print(("\n" if found else "") + title)
        print_explanation(explanation)
        found.append(explanation)
    if options.out:
        from pipeline.artifacts import write_text
        from pipeline.explain.page import as_page

        write_text(options.out, as_page(found))
        print(f"→ {options.out}")


def _explanations(run: Run, task: str, options: Explain, wanted: Wanted) -> Iterator[tuple[str, Explanation]]:
    """Of the text that was given, or of the surest mistakes, each with what is known of it."""
    from pipeline.explain.explanation import explain, explain_example
    from pipeline.inference.explaining import about, mistakes, subject_of

    asked = _asked(options, run, _ORDERS)
    texts = {name: text for name in _TEXTS if (text := getattr(options, name))}
    wrong = [] if texts else mistakes(run, task, options.worst)
    subject = subject_of(run, task)
    if texts:
        yield "", explain(subject.task, subject.model, subject.tokenizer, texts, wanted, asked)
    for example in wrong:
        explanation = explain_example(subject.task, subject.model, subject.tokenizer, example, wanted, asked)
        yield about(example), explanation


def _asked(options: Explain, run: Run, orders: int) -> Asked:
    from pipeline.explain.asked import Asked

    return Asked(
        options.method,
        options.steps,
        options.baseline,
        options.fractions,
        options.orders or orders,
        run.recipe.seed,
    )


def _task(common: Common, run: Run) -> str:
    """At most one; the pre-trained model has none."""
    if common.task in ("", *ALIGNED):
        return common.task
    named = chosen_tasks(common, run.recipe)
    if len(named) > 1:
        raise GroundupError(
            "explain --task all", "one model is explained at a time", f"name one of: {', '.join(named)}"
        )
    return named[0]


def _check(options: Explain) -> None:
    least = {"token": 0, "steps": 1, "fractions": 2, "orders": 0, "worst": 1, "held_out": 0}
    for name, number in least.items():
        value = getattr(options, name)
        flag = f"--{name.replace('_', '-')}"
        require(value >= number, flag, f"{value} is too few", f"use {number} or more")


EXPLAINING = {
    "explain": Verb(
        "why a model said it: attribution to what it read, and whether that is better than chance",
        _explain,
        ADAPTER_SHORT,
        options=Explain(),
    ),
}
