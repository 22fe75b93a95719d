"""Membership inference: what scores tell, and how sure that is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import auc, roc_curve

from pipeline.evaluate.membership import AUC, TRUE_POSITIVES, Side, _values, attack


def _side(scores: list[float], in_group: int = 1) -> Side:
    return Side(scores, [str(number // in_group) for number in range(len(scores))])


def test_scores_that_tell_all_and_nothing() -> None:
    found = attack(_side([1.0, 2.0, 3.0] * 20), _side([0.0, -1.0, 0.5] * 20), seed=0)
    assert found.values == {AUC: 1.0, TRUE_POSITIVES: 1.0}
    assert found.intervals == {AUC: (1.0, 1.0), TRUE_POSITIVES: (1.0, 1.0)}
    alike = attack(_side([0.3] * 50), _side([0.3] * 50), seed=0)
    assert alike.values == {AUC: 0.5, TRUE_POSITIVES: 0.0}


def test_the_area_is_that_of_mann_and_whitney_and_its_interval_holds_it() -> None:
    chance = np.random.default_rng(0)
    members, others = chance.normal(0.5, 1, 300).tolist(), chance.normal(0, 1, 300).tolist()
    found = attack(_side(members), _side(others), seed=1)
    expected = stats.mannwhitneyu(members, others).statistic / 300**2
    assert found.values[AUC] == pytest.approx(expected)
    threshold = sorted(others)[-4]  # three others, 1 % of 300, are above it
    assert found.values[TRUE_POSITIVES] == pytest.approx(np.mean(np.array(members) > threshold), abs=1e-9)
    low, high = found.intervals[AUC]
    truth = stats.norm.cdf(0.5 / np.sqrt(2))
    assert low < truth < high and low < expected < high
    error = np.sqrt((truth * (1 - truth) + 2 * 299 * 0.05) / 300**2)  # Hanley and McNeil's, roughly
    assert 2 * error < high - low < 8 * error


def test_samples_are_weighed_as_scikit_learn_does() -> None:
    chance = np.random.default_rng(0)
    known, scores = chance.integers(0, 2, 80).astype(float), chance.integers(0, 30, 80).astype(float)
    times = chance.integers(0, 4, (5, 80)).astype(float)
    found = _values(known, scores, times)
    for sample, weights in enumerate(times):
        there = weights > 0
        false, true, _ = roc_curve(known[there], scores[there], sample_weight=weights[there])
        assert found[AUC][sample] == pytest.approx(auc(false, true))
        assert found[TRUE_POSITIVES][sample] == pytest.approx(true[false <= 0.01].max())


def test_examples_of_one_group_make_the_interval_wider() -> None:
    chance = np.random.default_rng(0)
    members = np.repeat(chance.normal(0.5, 1, 30), 10).tolist()
    others = np.repeat(chance.normal(0, 1, 30), 10).tolist()
    single, grouped = (
        attack(_side(members, size), _side(others, size), seed=0).intervals[AUC] for size in (1, 10)
    )
    assert grouped[1] - grouped[0] > 2 * (single[1] - single[0])


def test_a_model_that_went_wrong_tells_nothing() -> None:
    found = attack(_side([float("nan")] * 20), _side([float("nan")] * 20), seed=0)
    assert found.values[AUC] == 0.5
