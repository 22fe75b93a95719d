"""Work in processes of its own."""

from __future__ import annotations

import os
import time

import pytest

from pipeline.apart import apart
from pipeline.errors import GroundupError


def _refuse() -> int:
    raise GroundupError("a.csv", "it is wrong", "mend it")


def test_each_work_has_a_process_and_a_place_among_the_results() -> None:
    def slow() -> int:
        time.sleep(0.3)
        return os.getpid()

    found = apart({"slow": slow, "wrong": _refuse, "quick": os.getpid}, at_a_time=2)
    assert list(found) == ["slow", "wrong", "quick"]
    assert len({os.getpid(), found["slow"], found["quick"]}) == 3
    assert isinstance(found["wrong"], GroundupError) and str(found["wrong"]) == "a.csv: it is wrong; mend it"


@pytest.mark.parametrize("at_a_time", [1, 2])
def test_no_more_than_so_many_run_at_a_time(at_a_time: int) -> None:
    def span() -> tuple[float, float]:
        began = time.monotonic()
        time.sleep(0.2)
        return began, time.monotonic()

    spans = apart({str(n): span for n in range(3)}, at_a_time).values()
    together = [sum(begin < other <= end for _, other in spans) for begin, end in spans]  # type: ignore[misc]
    assert max(together) <= at_a_time


def test_a_process_that_is_killed_refuses_and_the_others_go_on() -> None:
    found = apart({"task 'qa'": lambda: os._exit(137), "other": lambda: 7}, at_a_time=1)
    assert "task 'qa': the process that read its data was killed" in str(found["task 'qa'"])
    assert found["other"] == 7


def test_an_error_of_the_program_is_no_refusal() -> None:
    with pytest.raises(ZeroDivisionError):
        apart({"wrong": lambda: 1 // 0})
