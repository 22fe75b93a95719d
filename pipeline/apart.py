"""Work in processes of its own, which tell what they found and end: what they took is given back to the system."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

from pipeline.errors import GroundupError

T = TypeVar("T")


def apart(works: Mapping[str, Callable[[], T]], at_a_time: int = 0) -> dict[str, T | GroundupError]:
    """What each work gives, or how it refuses; the next one begins when one ends.

    Each has a process that is a fork of this one: it has the libraries loaded and knows what a recipe has registered.
    Where the system cannot fork safely they are done here, one after the other.

    Args:
        works: by name; what they give has to be picklable.
        at_a_time: processes; 0 is one for each core that this one may use.

    Raises:
        Exception: any other than a ``GroundupError`` that a work raises.
    """
    if sys.platform != "linux":
        return {name: _outcome(work) for name, work in works.items()}
    limit = at_a_time or len(os.sched_getaffinity(0))
    waiting = list(works)
    running: dict[str, _Fork[T]] = {}
    found: dict[str, T | GroundupError] = {}
    try:
        while waiting or running:
            while waiting and len(running) < limit:
                name = waiting.pop(0)
                running[name] = _Fork(works[name])
            told = wait([fork.told for fork in running.values()])
            for name in [name for name, fork in running.items() if fork.told in told]:
                found[name] = running.pop(name).outcome(name)
    finally:
        for fork in running.values():
            fork.end()
    return {name: found[name] for name in works}


class _Fork(Generic[T]):
    def __init__(self, work: Callable[[], T]) -> None:
        context = multiprocessing.get_context("fork")
        self.told, telling = context.Pipe(duplex=False)
        self._process = context.Process(target=_tell, args=(work, telling))
        self._process.start()
        telling.close()  # so that the end of the process ends the pipe

    def outcome(self, name: str) -> T | GroundupError:
        try:
            found = self.told.recv()
        except EOFError:
            found = MemoryError()
        self.end()
        if isinstance(found, MemoryError):
            return GroundupError(
                name,
                "the process that read its data was killed, as it is where memory runs out",
                "read fewer rows, or use a machine with more memory",
            )
        if isinstance(found, Exception) and not isinstance(found, GroundupError):
            raise found
        return found

    def end(self) -> None:
        self.told.close()
        if self._process.is_alive():
            self._process.join(1)
            self._process.kill()
        self._process.join()


def _tell(work: Callable[[], T], telling: Connection) -> None:
    try:
        telling.send(_outcome(work))
    except Exception as error:
        telling.send(error)


def _outcome(work: Callable[[], T]) -> T | GroundupError:
    try:
        return work()
    except GroundupError as error:
        return error
