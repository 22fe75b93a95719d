"""Problems whose answers are checked: of reasoning-gym's generators, or rows of questions and answers."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from pipeline.errors import GroundupError, first_line, nearest
from pipeline.evaluate.split import normal, position
from pipeline.recipe import Grpo
from pipeline.sources import read
from pipeline.sources.base import REASONING_GYM
from pipeline.sources.columns import text_column
from pipeline.tasks.base import Example

_TAGGED = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


@dataclass(frozen=True)
class Problem:
    """A question, one right answer, and what an answer is worth."""

    question: str
    answer: str
    place: str
    worth: Callable[[str], float]
    """Of an answer: 1 when right, down to 0."""

    @property
    def example(self) -> Example:
        """What is written down of it beside an answer."""
        return Example({"question": self.question, "answer": self.answer}, self.place, self.question)

    def reward(self, reply: str) -> float:
        """What a reply is worth: by what it has between the last answer tags, or the whole of it without such tags."""
        tagged = _TAGGED.findall(reply)
        return float(self.worth((tagged[-1] if tagged else reply).strip()))


def read_problems(settings: Grpo, seed: int) -> tuple[list[Problem], list[Problem]]:
    """Problems to train on and held-out ones; no question is on both sides.

    Raises:
        GroundupError: when a source cannot be read, or there are too few different questions.
    """
    found = {
        normal(problem.question): problem
        for spec in settings.data
        for problem in itertools.islice(_problems(spec, settings.problems, seed), settings.problems)
    }
    ordered = sorted(found.values(), key=lambda problem: position(problem.question, seed))
    count = min(settings.evaluation_problems, len(ordered) // 2)
    if not count:
        raise GroundupError(
            " ".join(settings.data),
            f"{len(ordered)} different questions do not make a training and a held-out part",
            "give more",
        )
    return ordered[count:], ordered[:count]


def _problems(spec: str, count: int, seed: int) -> Iterator[Problem]:
    if spec.startswith(REASONING_GYM):
        yield from _generated(spec, count, seed)
        return
    for row in read(spec):
        question, answer = (text_column(row, name, "grpo.data") for name in ("question", "answer"))
        yield Problem(question, answer, row.place, _exactly(answer))


def _exactly(answer: str) -> Callable[[str], float]:
    """Right is what a reader would not tell from the answer."""
    return lambda said: float(normal(said) == normal(answer))


def _generated(spec: str, count: int, seed: int) -> Iterator[Problem]:
    generator = _generator(spec, count, seed)
    for number in range(count):
        entry = generator[number]

        def worth(said: str, entry: dict[str, Any] = entry) -> float:
            return generator.score_answer(said, entry)

        yield Problem(entry["question"], str(entry["answer"]), f"{spec} {number}", worth)


def _generator(spec: str, count: int, seed: int) -> Any:
    """The generator ``reasoning-gym:NAME`` or ``reasoning-gym:NAME?setting=value&…``."""
    if not importlib.util.find_spec("reasoning_gym"):
        raise GroundupError(spec, "reasoning-gym is not installed", "make setup-reasoning installs it")
    from reasoning_gym.factory import DATASETS, create_dataset

    name, _, options = spec.removeprefix(REASONING_GYM).partition("?")
    if name not in DATASETS:
        raise GroundupError(spec, f"reasoning-gym has no generator '{name}'", nearest(name, DATASETS))
    given = {key: _value(text) for key, text in parse_qsl(options, keep_blank_values=True)}
    try:
        return create_dataset(name, size=count, seed=seed, **given)
    except (TypeError, ValueError, AssertionError) as error:
        raise GroundupError(
            spec, f"the generator refuses its settings ({first_line(error)[:200]})", "mend them"
        ) from error


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
