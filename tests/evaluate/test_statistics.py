"""Bootstrap intervals and paired differences: against theory, against the whole, and of dependent examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sacrebleu
from sklearn.metrics import f1_score

from pipeline.evaluate.metrics import Classification, OfflineMetric, Rouge, SquadMatch, Translation
from pipeline.evaluate.statistics import SAMPLES, coarse_enough, draw, joined, means, ratios

CHANCE = np.random.default_rng(0)
TEXTS = ["open the file", "close the door now", "the cat sat", "a b c d e", "save as", "the file is open"]
WANTED = ["open a file", "close that door now", "the cat ran", "a b c d e", "save it", "a file was open"]
CASES: list[tuple[OfflineMetric, list[Any], list[Any]]] = [
    (Classification(), [0, 1, 2, 1, 0, 3], [0, 1, 1, 1, 2, 0]),
    (SquadMatch(), TEXTS, [[text] for text in WANTED]),
    (Translation(), TEXTS, WANTED),
    (Rouge(), TEXTS, WANTED),
]


@pytest.mark.parametrize(("metric", "said", "wanted"), CASES, ids=lambda value: type(value).__name__)
def test_metrics_follow_from_the_sums_of_any_part(
    metric: OfflineMetric, said: list[Any], wanted: list[Any]
) -> None:
    statistics = metric.statistics(said, wanted)
    for times in ([1] * 6, [2, 0, 1, 0, 3, 0], [0, 0, 1, 1, 0, 4]):
        drawn = [i for i, count in enumerate(times) for _ in range(count)]
        found = statistics.metrics(np.array(times) @ statistics.rows)
        part = metric.statistics([said[i] for i in drawn], [wanted[i] for i in drawn]).score()
        assert found.keys() == part.keys() and all(found[n] == pytest.approx(part[n]) for n in part)


def test_they_are_what_the_libraries_compute() -> None:
    said, wanted = CHANCE.integers(0, 5, 300).tolist(), CHANCE.integers(0, 4, 300).tolist()
    scores = Classification().compute(predictions=said, references=wanted)
    assert scores["macro_f1"] == pytest.approx(f1_score(wanted, said, average="macro", zero_division=0.0))
    scores = Translation().compute(predictions=TEXTS, references=WANTED)
    assert scores["bleu"] == pytest.approx(sacrebleu.corpus_bleu(TEXTS, [WANTED]).score)
    assert scores["chrf"] == pytest.approx(sacrebleu.corpus_chrf(TEXTS, [WANTED]).score)


def test_an_interval_is_as_wide_as_theory_says_and_covers_as_often() -> None:
    alone = [str(n) for n in range(400)]
    within = 0
    for seed in range(40):
        right = (CHANCE.random(400) < 0.8).astype(float).tolist()
        low, high = draw({"a": means(accuracy=right)}, alone, seed, 400).interval("a", "accuracy")
        assert high - low == pytest.approx(2 * 1.96 * (0.8 * 0.2 / 400) ** 0.5, rel=0.3)
        within += low <= 0.8 <= high
    assert within >= 33  # 38 expected


def test_examples_that_are_alike_tell_less() -> None:
    right = np.repeat((CHANCE.random(40) < 0.7).astype(float), 25).tolist()
    films = np.repeat(np.arange(40), 25).astype(str).tolist()
    alone, together = (
        draw({"a": means(accuracy=right)}, groups, 0).interval("a", "accuracy")
        for groups in ([str(n) for n in range(1000)], films)
    )
    assert together[1] - together[0] > 3 * (alone[1] - alone[0])  # five times, as 25 count as one
    assert coarse_enough(films) is films
    few = ["a"] * 999 + ["b"]
    assert coarse_enough(few, films) is films
    assert len(set(coarse_enough(few, few))) == 1000


def test_a_difference_on_the_same_examples_is_surer_than_both_scores() -> None:
    alone = [str(n) for n in range(500)]
    right = (CHANCE.random(500) < 0.6).astype(float)
    better = right.copy()
    better[np.flatnonzero(right == 0)[:15]] = 1
    draws = draw({"a": means(accuracy=better.tolist()), "b": means(accuracy=right.tolist())}, alone, 0)
    found = draws.difference("a", "b", "accuracy")
    assert 0 < found.low < 0.03 < found.high and found.p < 0.01
    assert draws.interval("a", "accuracy")[0] < draws.interval("b", "accuracy")[1]  # these overlap
    same = draws.difference("a", "a", "accuracy")
    assert (same.low, same.high, same.p) == (0, 0, 1)
    back = draws.difference("b", "a", "accuracy")
    assert (back.low, back.high, back.p) == (-found.high, -found.low, found.p)
    assert draws.values["a"]["accuracy"].shape == (SAMPLES,)


def test_p_is_even_where_there_is_no_difference() -> None:
    alone = [str(n) for n in range(200)]
    found = []
    for seed in range(60):
        one, other = ((CHANCE.random(200) < 0.5).astype(float).tolist() for _ in range(2))
        systems = {"a": means(accuracy=one), "b": means(accuracy=other)}
        found.append(draw(systems, alone, seed, 200).difference("a", "b", "accuracy").p)
    assert 0 <= sum(p < 0.05 for p in found) <= 9 and 0.3 < np.mean(found) < 0.7


def test_sums_are_joined_and_divided() -> None:
    both = joined(
        means(a=[1, 0, 1, 0]), ratios(b=([1, 0, 0, 2], [2, 0, 0, 4]), c=([1, 1, 1, 1], [0, 0, 0, 0]))
    )
    assert both.score() == {"a": 0.5, "b": 0.5, "c": 0.0}
    assert both.metrics(both.rows[:1].sum(0)) == {"a": 1.0, "b": 0.5, "c": 0.0}
