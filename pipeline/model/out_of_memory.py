"""Out of memory: what goes through a model together goes in parts, half as large whenever memory runs out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from pipeline.artifacts import read_json, write_json
from pipeline.errors import GroundupError
from pipeline.processes import on_main, say

T = TypeVar("T")


def ran_out(error: BaseException) -> bool:
    """Whether it says that the memory of a device or of the process is used up."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and should_reduce_batch_size(error)
    )


def attempt(work: Callable[..., T], *arguments: Any) -> T | None:
    """What the work gives on these arguments; None where memory ran out, and then all that it held is free again."""
    try:
        return work(*arguments)
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
    clear_device_cache(garbage_collection=True)  # behind the block, when no traceback holds the tensors
    return None


class Parts:
    """In how many parts batches go through a model: twice as many whenever memory runs out.

    Args:
        name: of what is done, as it is said.
        remedy: what helps where a single row is too large.
        file: remembers the number, so that whoever goes on does not try the full size again.
    """

    def __init__(self, name: str, remedy: str, file: Path | None = None) -> None:
        self.name, self.remedy, self.file = name, remedy, file
        self.count = 1 if file is None else on_main(lambda: _remembered(file))
        if self.count > 1:
            say(f"{name}: micro-batches go in {self.count} parts, as memory ran out before")

    def size(self, rows: int) -> int:
        """Rows that go together, of a batch of so many."""
        return max(1, math.ceil(rows / self.count))

    def each(self, batch: list[int], work: Callable[[list[int]], T]) -> Iterator[tuple[list[int], T]]:
        """Parts of a batch of rows, with the work's result; one that memory runs out with is done in smaller ones.

        Raises:
            GroundupError: when it runs out with one row.
        """
        at = 0
        while at < len(batch):
            part = batch[at : at + self.size(len(batch))]
            done = attempt(work, part)
            if done is None:
                self.double(len(batch))
                continue
            yield part, done
            del done  # before the next one is made
            at += len(part)

    def double(self, rows: int) -> None:
        """Take twice as many from here on, and say so: memory ran out with a batch of so many rows.

        Raises:
            GroundupError: when a part was one row already.
        """
        size = self.size(rows)
        if size == 1:
            raise GroundupError(self.name, "memory ran out with one row at a time", self.remedy)
        self.count *= 2
        if self.file is not None:
            write_json(self.file, {"parts": self.count})
        say(f"{self.name}: memory ran out with {size} rows at a time; it goes on with {self.size(rows)}")


def _remembered(file: Path) -> int:
    return int(read_json(file)["parts"]) if file.is_file() else 1
