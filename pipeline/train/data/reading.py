"""A task's data, read whole in a process of its own, which tells how much they take and ends."""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import psutil

from pipeline.errors import GroundupError
from pipeline.recipe import Finetune
from pipeline.tasks import task_named
from pipeline.train.data.examples import read_examples


@dataclass(frozen=True)
class Reading:
    """What was read of a task."""

    examples: int
    """To train on."""
    held: float
    """Bytes by which the process grew, and which its training has too: examples, and gaps that reading left."""


def read_apart(name: str, settings: Finetune, share: float, seed: int) -> Reading:
    """Read and split a task's data as its training does.

    A process has to read nothing before, for what it has freed it would use again: so each task has one, where the
    system can fork safely. On others it is read here, and some of what it takes stays unseen.

    Raises:
        GroundupError: what reading refuses, or when the data do not fit into memory.
    """
    if sys.platform != "linux":
        return _read(name, settings, share, seed)
    # A fork has the libraries loaded, and knows what a recipe has registered.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as process:
        try:
            return process.submit(_read, name, settings, share, seed).result()
        except (BrokenProcessPool, MemoryError):
            raise GroundupError(
                f"task '{name}'",
                "the process that read its data was killed, as it is where memory runs out",
                "read fewer rows, or use a machine with more memory",
            ) from None


def _read(name: str, settings: Finetune, share: float, seed: int) -> Reading:
    before = _own_bytes()
    parts = read_examples(task_named(name, settings), share, seed)
    return Reading(len(parts.train), max(0.0, _own_bytes() - before))


def _own_bytes() -> float:
    """Of this process in memory, without files that are mapped, where the system tells them apart."""
    taken = psutil.Process().memory_info()
    return float(taken.rss - getattr(taken, "shared", 0))
