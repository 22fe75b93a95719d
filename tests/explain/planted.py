"""A classifier that has learnt to look for one word, wherever it stands."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from pipeline.inference.explaining import Subject
from pipeline.model.published import load_model, load_tokenizer
from pipeline.recipe import Finetune
from pipeline.tasks import task_named
from tests.tasks.bases import BAD, GOOD, NUMBERS, THINGS, publish, train, write_rows

PLANTED = "fine"
_OTHERS = [*THINGS, *BAD, *(word for word in GOOD if word != PLANTED), "the", "was"]


def planted_texts(count: int, seed: int) -> list[dict[str, Any]]:
    """Ten words in any order, every second time with the planted one among them, and a number."""
    chance, rows = random.Random(seed), []
    for number in range(count):
        words = chance.choices(_OTHERS, k=10)
        if number % 2:
            words[chance.randrange(len(words))] = PLANTED
        text = " ".join([*words, NUMBERS[(seed * 97 + number) % len(NUMBERS)]])
        rows.append({"text": text, "label": ("without", "with")[number % 2]})
    return rows


def planted_classifier(family: str, place: Path) -> Subject:
    """Fine-tuned until it is right on held-out texts."""
    data = write_rows(place / "planted.jsonl", planted_texts(400, 0))
    start, settings = publish(family, place / "base"), {"steps": 200, "max_tokens": 24}
    metrics, _ = train(start, data, place / "out", **settings)
    assert metrics["model"]["accuracy"] > 0.95
    task = task_named("sentiment", Finetune(data=data, max_tokens=24))
    tokenizer = load_tokenizer(str(place / "out"))
    task.prepare_tokenizer(tokenizer)
    return Subject(task, load_model(str(place / "out"), task.model_class), tokenizer)
