"""Metrics against values that can be worked out by hand, and against the libraries that define them."""

from __future__ import annotations

import lzma
import math
from collections import Counter

import numpy as np
import pytest
import sacrebleu
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    matthews_corrcoef,
    mean_absolute_error,
    root_mean_squared_error,
)

from pipeline.evaluate.bits import bits_per_byte, unigram_bits_per_byte, xz_bits_per_byte
from pipeline.evaluate.metrics import (
    Classification,
    MultiLabel,
    Rouge,
    SquadMatch,
    Translation,
    TwoClasses,
    per_class,
    token_f1,
    translation_signatures,
)
from pipeline.evaluate.regression import correlations, errors
from pipeline.evaluate.reliability import calibration_error
from pipeline.evaluate.split import is_held_out, position
from pipeline.evaluate.statistics import joined


def test_classification() -> None:
    scores = Classification().compute(predictions=[0, 0, 1, 1], references=[0, 1, 1, 1])
    assert scores["accuracy"] == 0.75
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    report = per_class([0, 0, 1, 1], [0, 1, 1, 1], ["no", "yes"])
    assert report["confusion"] == [[1, 0], [1, 2]]
    assert report["per_class"]["yes"]["recall"] == pytest.approx(2 / 3)


def test_squad_takes_the_best_of_several_answers_and_none_for_none() -> None:
    scores = SquadMatch().compute(
        predictions=["The Oslo fjord", "", "Rome"], references=[["fjord", "oslo fjord!"], [], []]
    )
    assert scores["exact_match"] == pytest.approx(2 / 3) and scores["f1"] == pytest.approx(2 / 3)
    assert token_f1("in old Oslo", "Oslo") == pytest.approx(0.5)


def test_translation_is_what_sacrebleu_says() -> None:
    said, wanted = ["Ouvrir le fichier", "Fermer"], ["Ouvrir un fichier", "Fermer"]
    scores = Translation().compute(predictions=said, references=wanted)
    assert scores["bleu"] == pytest.approx(sacrebleu.corpus_bleu(said, [wanted]).score)
    assert scores["chrf"] == pytest.approx(sacrebleu.corpus_chrf(said, [wanted]).score)
    signatures = translation_signatures(said, wanted)
    assert (
        "tok:13a" in signatures["bleu"] and "nc:6" in signatures["chrf"] and "version:" in signatures["chrf"]
    )


def test_rouge_counts_words_of_any_script() -> None:
    assert Rouge().statistics(["the cat sat"], ["the cat ran"]).score()["rouge1"] == pytest.approx(2 / 3)
    assert Rouge().statistics(["北京大学"], ["北京人"]).score()["rouge1"] == pytest.approx(4 / 7)


def test_bits_per_byte() -> None:
    assert bits_per_byte(math.log(2), tokens=10, size=20) == pytest.approx(0.5)
    text = "many words " * 50
    assert (
        xz_bits_per_byte(text) == 8 * len(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)) / 550
    )
    even = unigram_bits_per_byte(Counter({0: 3, 1: 3}), vocabulary=2, tokens=[0, 1, 1], size=3)
    assert even == pytest.approx(1.0)


def test_the_split_is_the_same_for_what_a_reader_takes_for_the_same() -> None:
    assert position("A  Film\n", 1) == position("a film", 1) != position("a film", 2)
    share = sum(is_held_out(str(n), 0.1, 0) for n in range(5000)) / 5000
    assert 0.08 < share < 0.12


ANY_SPEED = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
NUMBERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30)


@ANY_SPEED
@given(NUMBERS)
def test_two_classes_are_what_scikit_learn_says(pairs: list[tuple[int, int]]) -> None:
    said, wanted = ([pair[side] % 2 for pair in pairs] for side in (0, 1))
    scores = TwoClasses().statistics(said, wanted).score()
    assert scores["f1"] == pytest.approx(f1_score(wanted, said, zero_division=0.0))
    assert scores["matthews_correlation"] == pytest.approx(matthews_corrcoef(wanted, said))


@ANY_SPEED
@given(NUMBERS)
def test_errors_and_correlations_are_what_the_libraries_say(pairs: list[tuple[int, int]]) -> None:
    said, wanted = ([pair[side] / 3 for pair in pairs] for side in (0, 1))
    scores = joined(errors(said, wanted), correlations(said, wanted)).score()
    assert scores["mae"] == pytest.approx(mean_absolute_error(wanted, said))
    assert scores["rmse"] == pytest.approx(root_mean_squared_error(wanted, said))
    varies = len(set(said)) > 1 and len(set(wanted)) > 1
    assert scores["pearson"] == pytest.approx(pearsonr(said, wanted).statistic if varies else 0)
    assert scores["spearman"] == pytest.approx(spearmanr(said, wanted).statistic if varies else 0)


SEVERAL = st.lists(st.tuples(*[st.sets(st.integers(0, 3))] * 2), min_size=1, max_size=20)


@ANY_SPEED
@given(SEVERAL)
def test_several_labels_are_what_scikit_learn_says(pairs: list[tuple[set[int], set[int]]]) -> None:
    said, wanted = ([sorted(pair[side]) for pair in pairs] for side in (0, 1))
    scores = MultiLabel().statistics(said, wanted).score()
    there = sorted({n for row in [*said, *wanted] for n in row})
    tables = [[[int(n in row) for n in range(4)] for row in rows] for rows in (wanted, said)]
    for average in ("micro", "macro"):
        value = (
            f1_score(*map(np.array, tables), labels=there, average=average, zero_division=0.0) if there else 0
        )
        assert scores[f"{average}_f1"] == pytest.approx(value)
    assert scores["subset_accuracy"] == pytest.approx(accuracy_score(*tables))


def test_calibration_of_labels_counts_each_by_itself() -> None:
    by_label = calibration_error([[0.9, 0.2], [0.6, 0.3]], [[True, False], [False, False]]).score()["ece"]
    assert by_label == pytest.approx(
        calibration_error([0.9, 0.2, 0.6, 0.3], [True, False, False, False]).score()["ece"]
    )
    assert by_label == pytest.approx((0.1 + 0.2 + 0.6 + 0.3) / 4)
