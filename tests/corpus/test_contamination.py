"""Passages that documents share with held-out texts, and what is said when a task's data changed since."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.corpus.contamination import Contaminants, overlap
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run, _note_contamination

WORDS = [f"w{n}" for n in range(3000)]


@pytest.mark.parametrize(("shared", "found"), [(12, False), (13, True), (14, True)])
def test_a_passage_is_found_whatever_its_case_and_punctuation(shared: int, found: bool) -> None:
    chance = random.Random(shared)
    held_out, document = chance.sample(WORDS[:1000], 40), chance.sample(WORDS[1000:], 200)
    document[90:90] = [f"{word.upper()}," for word in held_out[10 : 10 + shared]]
    assert Contaminants([" ".join(held_out)], 13).are_in(" ".join(document)) is found


def test_the_verdict_is_that_of_comparing_every_passage() -> None:
    chance = random.Random(3)
    few = ["a", "b", "c"]
    texts = [" ".join(chance.choices(few, k=12)) for _ in range(600)]
    held_out, documents = texts[:100], texts[100:]
    known = Contaminants(held_out, 6)
    passages = {tuple(t.split()[i : i + 6]) for t in held_out for i in range(7)}
    truth = [any(tuple(d.split()[i : i + 6]) in passages for i in range(7)) for d in documents]
    assert [known.are_in(d) for d in documents] == truth and 0 < sum(truth) < len(truth)
    assert overlap(documents, iter(held_out), 6).tolist() == truth


def test_without_held_out_texts_nothing_is_contaminated() -> None:
    assert not Contaminants([], 13).are_in(" ".join(WORDS))
    assert not Contaminants(["too short"], 13).are_in("too short")
    assert overlap(["too short", " ".join(WORDS)], [], 13).tolist() == [False, False]


def test_task_data_that_came_later_is_mentioned(
    tiny: Path, whole_run: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(load_recipe(str(tiny)), whole_run)
    _note_contamination(run, "sentiment")
    assert capsys.readouterr().out == ""
    other = replace(run.recipe.tasks["sentiment"], data=str(data / "chats.jsonl"))
    _note_contamination(Run(replace(run.recipe, tasks={"sentiment": other}), whole_run), "sentiment")
    assert "sentiment: text that the model was pre-trained on was not searched" in capsys.readouterr().out
