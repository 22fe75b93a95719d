"""How predictions are judged: scores, chance, parts of the examples, and the worst mistakes."""

from __future__ import annotations

import pytest

from pipeline.recipe import Finetune
from pipeline.tasks import task_named
from pipeline.tasks.base import Example
from pipeline.train.judging import judge

EXAMPLES = [
    Example({"text": "x" * (1 + number), "label": "ab"[number % 2]}, f"row {number}", group=str(number // 2))
    for number in range(120)
]


def _said(wrong: set[int]) -> list[dict[str, object]]:
    return [
        {
            "prediction": "ba"[n % 2] if n in wrong else "ab"[n % 2],
            "probability": 0.5 + n / 1000,
            "correct": n not in wrong,
        }
        for n in range(120)
    ]


def test_systems_are_judged_on_the_same_examples() -> None:
    task = task_named("sentiment", Finetune())
    wrong = set(range(90, 120))
    found = judge(task, EXAMPLES, {"model": _said(wrong), "worse": _said({*wrong, *range(40)})}, seed=0)
    assert found.metrics["model"]["accuracy"] == 0.75 and found.metrics["worse"]["accuracy"] == 50 / 120
    told = found.details["model"]["intervals"]["accuracy"]
    assert 0.6 < told["low"] < 0.75 < told["high"] < 0.9
    against = found.details["model"]["against"]["worse"]
    assert 0 < against["low"] < 40 / 120 < against["high"] and against["p"] < 0.01
    assert "against" not in found.details["worse"] and found.details["model"]["confusion"]
    assert found == judge(
        task, EXAMPLES, {"model": _said(wrong), "worse": _said({*wrong, *range(40)})}, seed=0
    )


def test_parts_by_length_and_kind_and_the_surest_mistakes_first() -> None:
    task = task_named("sentiment", Finetune())
    found = judge(task, EXAMPLES, {"model": _said(set(range(91, 120, 2)))}, seed=0)
    slices = found.details["model"]["slices"]
    assert [(name, part["examples"]) for name, part in slices.items()] == [
        ("0 to 30 characters", 30), ("30 to 60 characters", 30), ("60 to 90 characters", 30),
        ("90 to 120 characters", 30), ("kind a", 60), ("kind b", 60),
    ]  # fmt: skip
    assert [part["accuracy"] for part in slices.values()] == pytest.approx([1, 1, 1, 0.5, 1, 0.75])
    assert len(found.worst) == 50 and [row["accuracy"] for row in found.worst[:16]] == [0] * 15 + [1]
    assert [row["place"] for row in found.worst[:2]] == ["row 119", "row 117"]
    assert {"text", "label", "prediction", "probability", "place", "group"} <= set(found.worst[0])


def test_what_training_has_seen_of_the_examples_is_told_apart() -> None:
    task = task_named("sentiment", Finetune())
    seen = " ".join(f"word{number}" for number in range(13))
    texts = [
        f"new {n} {seen if n < 30 else ' '.join(f'other{n}x{i}' for i in range(20))}" for n in range(120)
    ]
    examples = [Example({"text": text, "label": "ab"[n % 2]}, "", str(n)) for n, text in enumerate(texts)]
    train = [Example({"text": f"Before, {seen}, after.", "label": "a"}, "", "train")]
    found = judge(task, examples, {"model": _said(set(range(15)))}, 0, train).details["model"]["slices"]
    told = found["with 13 words in a row from training"]
    assert (told["examples"], told["accuracy"], found["without"]["accuracy"]) == (30, 0.5, 1.0)
