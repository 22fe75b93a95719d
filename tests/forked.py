"""Programs in processes of their own, forked from one that has loaded the libraries once: no start costs seconds.

Processes that are forked share the seed of Python's hashes. Where a test has to see two of them, or the launcher, or
variables that libraries read as they are imported, it starts an interpreter instead (tests/command_line.py).
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

ROOT = Path(__file__).parent.parent
_OUT, _ERR = "out.txt", "err.txt"
_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Forked:
    """A program that runs in one process or in several."""

    arguments: tuple[str, ...]
    processes: tuple[BaseProcess, ...]
    said: Path
    """Directory of what they say."""

    def runs(self) -> bool:
        """Whether none of the processes has ended."""
        return all(process.exitcode is None for process in self.processes)

    def text(self) -> str:
        """What they have said up to now."""
        return "".join((self.said / name).read_text("utf-8") for name in (_OUT, _ERR))

    def kill(self) -> None:
        """Kill them and all that they have started, directly or not."""
        import psutil

        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                for one in (
                    psutil.Process(process.pid),
                    *psutil.Process(process.pid).children(recursive=True),
                ):
                    one.kill()
        for process in self.processes:
            process.join()

    def ended(self, seconds: float = 400) -> subprocess.CompletedProcess[str]:
        """Wait for the end; as under a launcher, where one process fails the others are killed."""
        until = time.monotonic() + seconds
        left = set(self.processes)
        while left:
            wait([process.sentinel for process in left], max(0.0, until - time.monotonic()))
            left = {process for process in left if process.exitcode is None}
            if time.monotonic() > until or any(process.exitcode for process in self.processes):
                self.kill()
                break
        if time.monotonic() > until:
            raise subprocess.TimeoutExpired(self.arguments, seconds)
        codes = [process.exitcode for process in self.processes]
        code = next((code for code in codes if code), 0)
        out, err = ((self.said / name).read_text("utf-8") for name in (_OUT, _ERR))
        return subprocess.CompletedProcess(self.arguments, code, out, err)


@dataclass(frozen=True)
class Desk:
    """Where a person is who starts a program, and what they type."""

    directory: Path = ROOT
    typed: str = ""


def forked(
    said: Path,
    module: str,
    *arguments: str | Path,
    processes: int = 1,
    environment: Mapping[str, str] = {},
    desk: Desk = Desk(),
) -> Forked:
    """Start ``python -m module``, in two processes as ``accelerate launch`` with ``ddp_cpu.yaml`` does it.

    Args:
        said: a directory, made if it is missing, for what is said.
        module: its code runs as that of ``__main__``.
        arguments: of the program.
        processes: how many.
        environment: on top of the one here; read by the program, but not by libraries as they are imported.
        desk: its working directory, and its input.
    """
    said.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(ROOT):  # where the server, once it is started, looks for modules
        _CONTEXT.set_forkserver_preload(["tests.loaded"])
        started = []
        port = str(_free_port()) if processes > 1 else ""
        for rank in range(processes):
            ranked = _ranked(rank, processes, port) if processes > 1 else {}
            variables = {**os.environ, **environment, **ranked}
            words = [str(word) for word in arguments]
            started.append(_CONTEXT.Process(target=_run, args=(module, words, variables, said, desk)))
            started[-1].start()
    return Forked((module, *map(str, arguments)), tuple(started), said)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _ranked(rank: int, processes: int, port: str) -> dict[str, str]:
    """What torchrun and Accelerate tell one process of several on this machine."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "ACCELERATE_USE_CPU": "True",
        "ACCELERATE_MIXED_PRECISION": "no",
        "OMP_NUM_THREADS": "1",
    }


def _run(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], said: Path, desk: Desk
) -> None:
    """In the new process."""
    os.chdir(desk.directory)
    sys.stdin = io.StringIO(desk.typed)
    os.environ.clear()
    os.environ.update(environment)
    for name, number in ((_OUT, 1), (_ERR, 2)):
        with (said / name).open("a") as file:
            os.dup2(file.fileno(), number)
    if threads := environment.get("OMP_NUM_THREADS"):  # torch read it in the server
        import torch

        torch.set_num_threads(int(threads))
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except (
        Exception
    ):  # told by the program's own hook, as an interpreter does it; multiprocessing has another way
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
