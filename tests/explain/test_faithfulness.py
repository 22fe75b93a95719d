"""Curves of deletion and insertion, worked out by hand, and whether chance does as well."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pipeline.evaluate.outcomes import OfLabels
from pipeline.evaluate.said import Said
from pipeline.explain.asked import RANDOM, Asked
from pipeline.explain.attributed import Scores
from pipeline.explain.explanation import Explanation, explain
from pipeline.explain.faithfulness import Curve, measure
from pipeline.explain.methods import METHODS
from pipeline.explain.sentences import headlines
from pipeline.inference.explaining import Subject, judged
from pipeline.model.reading import Place, Reading
from pipeline.report.faithfulness import faithfulness_verdicts
from tests.explain.planted import PLANTED, planted_classifier, planted_texts
from tests.tasks.bases import THINGS, publish


class Adding(torch.nn.Module):
    """Its label's log-odds are the sum of what each token brings."""

    def __init__(self) -> None:
        super().__init__()
        self.worth = torch.tensor([0.0, 4.0, 2.0, 0.0, -2.0])
        self.config, self.device = SimpleNamespace(), torch.device("cpu")

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        return SimpleNamespace(logits=(self.worth[input_ids] * attention_mask).sum(1, keepdim=True) - 2)


def test_curves_by_hand(tmp_path: Path) -> None:
    from pipeline.model.published import load_tokenizer

    ids = [1, 2, 3, 4]
    places = [Place("text", n, n + 1) for n in range(4)]
    said = Said(Reading({"input_ids": ids}, places, {"text": "abcd"}, 4, 0), OfLabels("label", 0), (3,))
    scores = {"right": [4.0, 2.0, 0.0, -2.0], "wrong": [-2.0, 0.0, 2.0, 4.0]}
    tokenizer = load_tokenizer(publish("gpt2", tmp_path))
    found = measure(Adding(), tokenizer, said, scores, Asked(fractions=4, orders=200))

    def likely(*odds: float) -> list[float]:
        return [torch.tensor(one).sigmoid().item() for one in odds]

    right, wrong = found.methods["right"], found.methods["wrong"]
    assert right.deletion.values == pytest.approx(likely(2, -2, -4, -4, -2), abs=1e-5)
    assert right.insertion.values == pytest.approx(likely(-2, 2, 4, 4, 2), abs=1e-5)
    assert right.deletion.area == pytest.approx(sum([*right.deletion.values[1:4], 0.5]) / 4, abs=1e-5)
    assert wrong.deletion.area == pytest.approx(right.insertion.area) and wrong.better_by == ()
    assert right.p_deletion == pytest.approx(1 / 24, abs=0.03), "four tokens have 24 orders"
    assert right.p_insertion == pytest.approx(1 / 24, abs=0.03)
    assert (found.whole, found.empty) == pytest.approx(likely(2, -2), abs=1e-5)
    assert found.chance.inserted.values == found.chance.deleted.values[::-1]
    assert Curve((1.0, 0.0, 0.0)).area == 0.25


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return planted_classifier("bert", tmp_path_factory.mktemp("planted"))


@pytest.fixture
def drawn() -> Iterator[list[str]]:
    """Methods that know nothing."""
    chance = random.Random(1)

    def draw(model: Any, tokenizer: Any, said: Said, asked: Asked) -> Scores:
        return Scores(tuple(chance.random() for _ in said.reading.places))

    names = [f"drawn-{number}" for number in range(10)]
    METHODS.update(dict.fromkeys(names, draw))
    yield names
    for name in names:
        del METHODS[name]


def test_the_planted_word_stands_first_and_chance_does_not_do_as_well(
    planted: Subject, drawn: list[str]
) -> None:
    texts = [row["text"] for row in planted_texts(60, 5) if row["label"] == "with"]
    asked = Asked(("integrated-gradients", *drawn), steps=32, orders=10)
    found = [_explained(planted, text, asked) for text in texts]
    firsts = [_first_word(one) for one in found]
    assert firsts.count(PLANTED) > 0.9 * len(firsts)
    rows, details = judged(found, texts, seed=0)
    by_gradients, by_chance = rows["integrated-gradients"], rows[RANDOM]
    assert by_gradients["deletion"] < 0.5 * by_chance["deletion"]
    assert by_gradients["insertion"] > by_chance["insertion"] + 0.2
    means = [rows[name]["deletion"] for name in drawn]
    assert sum(means) / len(means) == pytest.approx(by_chance["deletion"], abs=0.1)
    verdicts = faithfulness_verdicts(details)
    told = "integrated-gradients is better than a random order of the tokens, by deletion and by insertion"
    assert any(said.startswith(told) for said in verdicts)
    warned = [said for said in verdicts if "BETTER THAN A RANDOM ORDER" in said]
    assert len(warned) >= len(drawn) - 3, "95 % intervals are wrong now and then"
    assert verdicts[: len(warned)] == warned, "they are said first"


def _explained(subject: Subject, text: str, asked: Asked) -> Explanation:
    return explain(subject.task, subject.model, subject.tokenizer, {"text": text}, asked=asked)


def _first_word(explanation: Explanation) -> str:
    scores = explanation.attributions[0].words
    word = explanation.words[max(range(len(scores)), key=scores.__getitem__)]
    return explanation.texts[word.text][word.start : word.end]


def test_one_text_says_in_its_first_line_what_is_no_better_than_chance(
    planted: Subject, drawn: list[str]
) -> None:
    words = " ".join(f"the {thing} was dull" for thing in THINGS[:5]).split()
    text = " ".join([*words[:9], PLANTED, *words[9:]])
    asked = Asked(("integrated-gradients", *drawn), orders=100, fractions=len(words) + 1)
    found = _explained(planted, text, asked)
    lines = headlines(found)
    warned = [line for line in lines if "BETTER THAN A RANDOM ORDER of the tokens here" in line]
    assert len(warned) >= len(drawn) - 3 and lines[: len(warned)] == warned
    assert "NO BETTER THAN A RANDOM ORDER" in lines[0]
    known = found.attributions[0].faithfulness
    assert _first_word(found) == PLANTED
    assert max(known.p_deletion, known.p_insertion) < 0.15, "of 21 orders one begins with the word too"
