"""Sketches estimate similarity as well as they say, and miss hardly any pair."""

from __future__ import annotations

import random

import numpy as np
import pytest

from pipeline.corpus.duplicates import near_duplicates, repeated, repeated_lines
from pipeline.corpus.signatures import Sketching, document_hash, long_lines

WORDS = [f"word{n}" for n in range(5000)]


def _u64(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.9])
def test_a_pair_at_the_threshold_hardly_ever_shares_no_band(threshold: float) -> None:
    kind = Sketching(threshold, 0.02)
    assert 1 - (1 - threshold**kind.rows) ** (kind.hashes // kind.rows) >= 0.99
    assert kind.found(threshold - 0.1) <= 0.02
    assert kind.found(min(1.0, threshold + 0.1)) > 0.9


def test_fewer_false_positives_want_longer_sketches() -> None:
    assert Sketching(0.7, 0.001).hashes > Sketching(0.7, 0.05).hashes


def test_the_chance_to_be_found_is_as_stated() -> None:
    """Pairs of known similarity, found by all that the stage does with them."""
    chance, kind = random.Random(2), Sketching(0.7, 0.02)
    for wanted in (0.55, 0.85):
        texts = [text for _ in range(300) for text in _pair(chance, wanted)]
        sketches = kind.sketches(texts)
        bands = kind.bands(sketches)
        documents = np.repeat(np.arange(len(texts), dtype=np.uint64), bands.shape[1])
        dropped = near_duplicates(bands.reshape(-1), documents, sketches, kind.threshold)
        assert len(dropped) / 300 == pytest.approx(kind.found(wanted), abs=0.03)


def _pair(chance: random.Random, similarity: float) -> tuple[str, str]:
    """Two texts whose word 5-grams have this Jaccard similarity: a common beginning and ends of their own."""
    common = round(300 * 2 * similarity / (1 + similarity))
    start = chance.sample(WORDS, common + 4)
    first, second = (" ".join(start + chance.sample(WORDS, 300 - common)) for _ in range(2))
    return first, second


def test_equal_to_a_reader_is_equal() -> None:
    assert document_hash("A film.") == document_hash("a  film.\n") != document_hash("A film!")


def test_the_first_of_equal_documents_stays() -> None:
    assert repeated(_u64(5, 7, 5, 5), _u64(9, 1, 2, 4)).tolist() == [4, 9]


def test_of_documents_that_are_near_none_stays_beside_another() -> None:
    sketches = np.array([[1, 1, 1, 1], [1, 1, 1, 2], [3, 3, 3, 3], [3, 3, 3, 4]], dtype=np.uint32)
    hashes, documents = _u64(8, 8, 8, 8), _u64(0, 1, 2, 3)
    assert near_duplicates(hashes, documents, sketches, 0.75).tolist() == [1, 3]
    assert near_duplicates(hashes, documents, sketches, 0.9).tolist() == []


def test_lines_are_counted_by_documents() -> None:
    hashes, documents = _u64(1, 1, 1, 2, 2), _u64(5, 5, 6, 5, 7)
    common, again = repeated_lines(hashes, documents, 1)
    assert common.tolist() == [True] * 5 and again.tolist() == [False, False, True, False, True]
    assert not repeated_lines(hashes, documents, 2)[0].any()


def test_only_long_lines_are_looked_at() -> None:
    assert [number for number, _, _ in long_lines("short\n" + "x" * 40 + "\n  " + "y" * 39)] == [1]
