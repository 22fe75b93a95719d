"""The time that training itself takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Clock:
    """Seconds of training: it stands still while the model is measured or saved.

    Work given to a GPU is waited for before the clock stops and before it goes on, so that none of it is counted
    on the wrong side.
    """

    def __init__(self) -> None:
        self._off = 0.0
        self._mark = time.monotonic()

    def now(self) -> float:
        """Seconds since some moment in the past."""
        return time.monotonic() - self._off

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stand still while the block runs."""
        wait_for_device()
        began = time.monotonic()
        yield
        wait_for_device()
        self._off += time.monotonic() - began
        self.mark()

    def mark(self) -> None:
        """Remember this moment."""
        self._mark = time.monotonic()

    def leave_out_since_mark(self) -> None:
        """Count nothing of the time since then."""
        self._off += time.monotonic() - self._mark
        self.mark()


def wait_for_device() -> None:
    """Until a GPU has done what it was given; a CPU is never behind."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
