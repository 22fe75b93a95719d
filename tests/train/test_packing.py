"""Packing: every token predicted once, rows never too long, almost no padding, few documents cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.train.data.packing import MOST_PADDING, Rows, best_fit, pack, pieces_of


def _check(rows: Rows, ends: np.ndarray, capacity: int) -> float:
    """The share of padding, after it is seen that nothing is lost, doubled or too long."""
    starts, lengths = rows.pieces.starts, rows.pieces.lengths
    predicted = np.zeros(ends[-1], int)
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        predicted[start + 1 : start + length] += 1
        inside = ends[(ends > start + 1) & (ends < start + length)]
        assert not len(inside), "a piece reaches into another document"
    assert (predicted[1:] == 1).all()
    used = [int(lengths[a:b].sum()) for a, b in zip(rows.first[:-1], rows.first[1:], strict=True)]
    assert min(used) > 0 and max(used) <= capacity
    return 1 - sum(used) / (len(used) * capacity)


@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=60).filter(lambda sizes: sum(sizes) > 1),
    st.integers(2, 40),
)
@settings(max_examples=150, deadline=None)
def test_any_documents_are_packed_whole(sizes: list[int], capacity: int) -> None:
    ends = np.cumsum(sizes)
    _check(pack(ends, capacity), ends, capacity)


@pytest.mark.parametrize("shape", ["all alike, just over half", "long and short", "none fits with another"])
def test_at_most_one_position_in_a_hundred_is_padding(shape: str) -> None:
    random = np.random.default_rng(0)
    sizes = {
        "all alike, just over half": np.full(3000, 130),
        "long and short": random.lognormal(5, 1, 5000).astype(int) + 2,
        "none fits with another": random.integers(130, 256, 3000),
    }[shape]
    ends = np.cumsum(sizes)
    assert _check(pack(ends, 256), ends, 256) <= MOST_PADDING


def test_documents_that_fit_are_not_cut() -> None:
    sizes = np.random.default_rng(1).lognormal(4, 1, 5000).astype(int) + 2
    ends = np.cumsum(sizes)
    rows = pack(ends, 1024)
    short = int((sizes < 1024).sum())
    assert len(rows.pieces.lengths) == short + len(pieces_of(ends, 1024).lengths) - short
    assert _check(rows, ends, 1024) < 0.01


def test_best_fit_takes_the_fullest_row_with_room() -> None:
    assert best_fit(np.array([6, 5, 4, 3, 2]), 10).tolist() == [0, 1, 0, 1, 1]
