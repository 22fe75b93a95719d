"""Made-up questions with reference answers, predictions and probabilities, the same on every machine."""

from __future__ import annotations

import random
from dataclasses import dataclass

_TEXT = (
    "a an the The A Oslo fjord oslo Fjord, (the) don't the-river An. U.S. 1,000 1000 — … “Oslo” Straße STRASSE "
    "北京 北京大学 naïve nai\u0308ve İstanbul 🎬 theatre an\u00a0old \t \n & ' ."
)
_WORDS = [*_TEXT.split(" "), ""]


@dataclass(frozen=True)
class Cases:
    """Of one data set."""

    answers: list[list[str]]
    predictions: list[str]
    no_answer: list[float]


def cases(seed: int, answerable: bool = False) -> Cases:
    """Between 1 and 40 questions, most of them with an answer, and all when ``answerable``."""
    chance = random.Random(seed)

    def text(least: int) -> str:
        return " ".join(chance.choice(_WORDS) for _ in range(chance.randrange(least, 6)))

    answers, predictions, no_answer = [], [], []
    for _ in range(chance.randrange(1, 41)):
        known = answerable or chance.random() < 0.7
        answers.append([text(1) for _ in range(chance.randrange(1, 4))] if known else [])
        copies = known and chance.random() < 0.5
        kept = chance.choice(answers[-1]) if copies else text(0)
        predictions.append(f"the {kept}" if chance.random() < 0.2 else kept)
        no_answer.append(chance.randrange(0, 21) / 20)
    return Cases(answers, predictions, no_answer)
