"""The threshold that is found is as good as any."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn.metrics import f1_score

from pipeline.evaluate.thresholds import best_f1_threshold, best_threshold

_SCORE = some.sampled_from([0.0, 0.5, 1.0])
_ROWS = some.lists(some.tuples(some.integers(-5, 5).map(float), _SCORE, _SCORE), min_size=1, max_size=12)


def _sum(rows: list[tuple[float, float, float]], threshold: float) -> float:
    return sum(above if margin > threshold else below for margin, above, below in rows)


@settings(deadline=None)
@given(_ROWS)
def test_no_other_threshold_scores_more(rows: list[tuple[float, float, float]]) -> None:
    found = best_threshold(*map(list, zip(*rows, strict=True)))
    every = [margin + step for margin, _, _ in rows for step in (-0.5, 0.5)]
    assert _sum(rows, found) == pytest.approx(max(_sum(rows, threshold) for threshold in every))


def test_nought_stays_where_it_is_as_good_as_any() -> None:
    assert best_threshold([3.0, 2.0, -1.0], [1, 1, 0], [0, 0, 1]) == 0.0
    assert best_threshold([3.0, 2.0, 1.0], [1, 0, 0], [0, 1, 1]) == pytest.approx(2.5)
    assert best_threshold([-3.0, -2.0], [1, 1], [0, 0]) < -3
    assert best_threshold([3.0, 2.0], [0, 0], [1, 1]) > 3


@settings(deadline=None)
@given(some.lists(some.tuples(some.integers(0, 10), some.booleans()), min_size=1, max_size=12))
def test_no_other_threshold_has_a_better_f1(rows: list[tuple[int, bool]]) -> None:
    likely, truth = [place / 10 for place, _ in rows], [there for _, there in rows]

    def f1(threshold: float) -> float:
        return f1_score(truth, [p >= threshold for p in likely], zero_division=0.0)

    found = best_f1_threshold(likely, truth)
    if any(truth) and not all(truth):
        assert f1(found) == pytest.approx(max(f1(p + step) for p in likely for step in (-0.01, 0, 0.01)))
    else:
        assert found == 0.5


def test_a_half_stays_where_it_is_as_good_as_any() -> None:
    assert best_f1_threshold([0.9, 0.6, 0.4], [True, True, False]) == 0.5
    assert best_f1_threshold([0.4, 0.2, 0.1], [True, True, False]) == pytest.approx(0.15)
