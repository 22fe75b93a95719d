"""An explanation: what was read, what was said of it, each token's share in it, and how far that can be believed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from pipeline.errors import GroundupError
from pipeline.evaluate.said import Said, Wanted
from pipeline.explain.asked import Asked
from pipeline.explain.faithfulness import Chance, Faithfulness, measure
from pipeline.explain.methods import METHODS, method_named
from pipeline.explain.words import Word, words_of
from pipeline.model.reading import Reading


class Explainable(Protocol):
    """What tells what a model reads and says: a task, or ``Continuing``."""

    def asked_by(self, texts: Mapping[str, str]) -> Any:
        """Texts as an example."""

    def said(self, model: Any, tokenizer: Any, example: Any, wanted: Wanted) -> Said:
        """What the model reads of an example, and what it says of it."""


ITS_OWN, USUAL = Wanted(), Asked()
"""What the model says itself, and how it is explained where nothing else is asked for."""


@dataclass(frozen=True)
class Token:
    """One token that was read."""

    entry: str
    """As the vocabulary has it."""
    text: str
    """Name of the text that it is of; empty for a mark of the model's own and for what the model wrote."""
    start: int
    """First of its characters there."""
    end: int
    movable: bool
    """Whether the curves take it away."""


@dataclass(frozen=True)
class Attribution:
    """What one method says, and how faithful it is."""

    method: str
    scores: tuple[float, ...]
    """Of each token."""
    words: tuple[float, ...]
    """Of each word: the scores of its tokens, added."""
    facts: Mapping[str, float]
    faithfulness: Faithfulness


@dataclass(frozen=True)
class Explanation:
    """Why a model said one thing, as plain values."""

    name: str
    """What was said: a class, an answer, a token."""
    kind: str
    """class, label, grade, span or written."""
    unit: str
    """Of all values and of the areas: probability (of several tokens the geometric mean), or grade."""
    value: float
    """After all that was read."""
    empty: float
    """Where every movable token is gone."""
    answer: str
    """All that was written, of a model that writes."""
    baseline: str
    texts: Mapping[str, str]
    tokens: tuple[Token, ...]
    words: tuple[Word, ...]
    attributions: tuple[Attribution, ...]
    chance: Chance
    left_out: tuple[str, ...] = ()
    """Sentences on methods that cannot explain this model."""

    def as_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        return asdict(self)


def explain(
    task: Explainable,
    model: Any,
    tokenizer: Any,
    texts: Mapping[str, str],
    wanted: Wanted = ITS_OWN,
    asked: Asked = USUAL,
) -> Explanation:
    """Explain what a task's model says of a person's texts.

    Args:
        task: finished.
        model: its own.
        tokenizer: of the model.
        texts: by name, those of a task's ``asks``.
        wanted: which of the things that are said.
        asked: methods, and how they are measured.

    Raises:
        GroundupError: for texts, a target or a token that the task has not, and where no method can explain the model.
    """
    return explain_example(task, model, tokenizer, task.asked_by(texts), wanted, asked)


def explain_example(
    task: Explainable,
    model: Any,
    tokenizer: Any,
    example: Any,
    wanted: Wanted = ITS_OWN,
    asked: Asked = USUAL,
) -> Explanation:
    """The same of an example; its label is not looked at."""
    model.eval()
    return explain_said(model, tokenizer, task.said(model, tokenizer, example, wanted), asked)


def explain_said(model: Any, tokenizer: Any, said: Said, asked: Asked = USUAL) -> Explanation:
    """The same of something that was said.

    Raises:
        GroundupError: where no token can be taken away, or no method can explain the model.
    """
    if not said.movable:
        raise GroundupError("explain", "no token of the text can be taken away", "give a longer text")
    scores, facts, refused = _scores(model, tokenizer, said, asked)
    measured = measure(model, tokenizer, said, scores, asked)
    words = words_of(said.reading)
    return Explanation(
        name=said.outcome.name,
        kind=said.outcome.kind,
        unit=said.outcome.unit,
        value=measured.whole,
        empty=measured.empty,
        answer=said.answer,
        baseline=asked.baseline,
        texts=dict(said.reading.texts),
        tokens=tuple(_tokens(said.reading, set(said.movable), tokenizer)),
        words=tuple(words),
        attributions=tuple(
            Attribution(
                name,
                found,
                tuple(sum(found[token] for token in word.tokens) for word in words),
                facts[name],
                measured.methods[name],
            )
            for name, found in scores.items()
        ),
        chance=measured.chance,
        left_out=tuple(refused),
    )


def _scores(
    model: Any, tokenizer: Any, said: Said, asked: Asked
) -> tuple[dict[str, tuple[float, ...]], dict[str, Mapping[str, float]], list[str]]:
    """Scores and facts by method, and sentences on those that cannot explain this model."""
    scores, facts, refusals = {}, {}, []
    for name in asked.methods:
        method = method_named(name)
        try:
            found = method(model, tokenizer, said, asked)
            _refuse_nan(name, found.values)
        except GroundupError as refusal:
            refusals.append(refusal)
            continue
        scores[name], facts[name] = found.values, found.facts
    if not scores:
        raise (
            refusals[0]
            if refusals
            else GroundupError("--method", "none is named", f"name one of: {', '.join(METHODS)}")
        )
    return scores, facts, [str(refusal) for refusal in refusals]


def _refuse_nan(method: str, scores: Sequence[float]) -> None:
    if not all(map(math.isfinite, scores)):
        raise GroundupError(
            method, "its scores are not numbers", "measure the model first: its training went wrong"
        )


def _tokens(reading: Reading, movable: set[int], tokenizer: Any) -> Sequence[Token]:
    entries = tokenizer.convert_ids_to_tokens(list(reading.features["input_ids"]))
    return [
        Token(
            entry,
            place.text if place else "",
            place.start if place else 0,
            place.end if place else 0,
            position in movable,
        )
        for position, (entry, place) in enumerate(zip(entries, reading.places, strict=True))
    ]
