"""A few hundred inputs of every kind that benchmarks/fuzz.py draws by the thousand; the same ones every time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.bad_input.fuzzing import TARGETS, VALID, read_file

SLOW = {"arguments": 10, "recipes": 50, ".html": 40, ".warc": 40, ".warc.gz": 40}
"""Inputs of what takes longer than a reader of tables."""


@pytest.mark.parametrize("target", TARGETS)
def test_inputs_are_taken_or_refused_in_one_line(target: str) -> None:
    inputs, work = TARGETS[target]
    counts: Counter[str] = Counter()

    @settings(
        max_examples=SLOW.get(target, 200),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    def fuzz(value: Any) -> None:
        work(value, counts)

    fuzz()
    assert counts["taken"] or target == "arguments"


@pytest.mark.parametrize("suffix", VALID)
def test_the_files_that_are_damaged_are_whole(suffix: str) -> None:
    counts: Counter[str] = Counter()
    for content in VALID[suffix]:
        read_file(suffix, content, counts)
    assert counts == {"taken": len(VALID[suffix])}
