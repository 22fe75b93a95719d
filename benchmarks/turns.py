"""Trainings that take turns in one run: each in a process of its own, which waits while another one trains.

What else goes on on a machine changes from minute to minute; contenders that take turns of seconds meet the same
weather, and none compiles more than once. This file needs nothing but Python, because a contender may live in an
environment of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parent.parent
WAITING = "DataLoader"
"""In the name under which a profile has the waiting for a batch; PyTorch's own loaders have it."""
_FIRST = 4
"""Steps before the first turn: they compile, and what they take is not counted."""


@dataclass(frozen=True)
class Training:
    """What every contender trains."""

    tokens: str
    """Directory of a tokenizer and its shards (benchmarks/token_data.py)."""
    family: str
    depth: int
    width: int
    feed_forward: int
    """Width inside the layers' feed-forward part."""
    vocabulary: int
    context: int
    """Tokens in a row."""
    batch: int
    """Rows in one optimiser step."""
    micro_batch: int
    """Rows at a time; the rest of the batch is accumulated."""
    device: str
    """cpu or cuda."""

    @property
    def shard(self) -> Path:
        """The file of the tokens to train on, end to end."""
        return Path(self.tokens) / "shards" / "train" / "00000.npy"

    @property
    def tokens_per_step(self) -> int:
        """Positions that one optimiser step trains on."""
        return self.batch * self.context


@dataclass(frozen=True)
class Turn:
    """What a contender did in one turn."""

    seconds: float
    """Of the clock, all work of the device included."""
    waited: float = 0.0
    """Seconds of them in which the loop waited for its next batch, where a profile was asked for."""
    operations: list[tuple[str, float]] = field(default_factory=list)
    """Name and own seconds of each kind of operation, where a profile was asked for."""


class Turns:
    """A contender's side: says when its turn is over, and waits for the next one, at the end of a step.

    Each turn begins with one step that is not counted, since caches and memory were others' meanwhile.

    Args:
        device: cpu or cuda.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # whatever libraries print is no answer
        self._began = 0.0
        self._profiler: Any = None
        self._begin(_FIRST, profiled=False)

    def _begin(self, steps: int, profiled: bool) -> None:
        self._counted, self._left, self._profiled = steps, steps + 1, profiled

    def end_of_step(self) -> None:
        """To be called at the end of every optimiser step.

        Raises:
            SystemExit: when there are no more turns.
        """
        self._left -= 1
        if self._left == self._counted:
            self._start()
        elif self._left == 0:
            print(json.dumps(asdict(self._stop())), file=self._answers, flush=True)
            order = sys.stdin.readline()
            if not order:
                raise SystemExit
            self._begin(**json.loads(order))

    def _start(self) -> None:
        if self._profiled:
            from torch.profiler import profile

            self._profiler = profile()
            self._profiler.start()
        self._wait_for_device()
        self._began = time.perf_counter()

    def _stop(self) -> Turn:
        self._wait_for_device()
        seconds = time.perf_counter() - self._began
        if self.device == "cuda":
            import torch

            torch.cuda.empty_cache()  # the others need the memory
        if self._profiler is None:
            return Turn(seconds)
        self._profiler.stop()
        events, self._profiler = self._profiler.key_averages(), None
        waited = sum(event.cpu_time_total for event in events if WAITING in event.key)
        if self.device == "cuda":  # of kernels, and not once more of the operations that started them
            kernels = [e for e in events if e.device_type.name == "CUDA" and not e.is_user_annotation]
            spent = [(kernel.key, kernel.self_device_time_total) for kernel in kernels]
        else:
            spent = [(event.key, event.self_cpu_time_total) for event in events]
        return Turn(seconds, waited / 1e6, [(name, microseconds / 1e6) for name, microseconds in spent])

    def _wait_for_device(self) -> None:
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()


class Contender:
    """The other side: starts the process and gives it turns.

    Args:
        name: of the contender.
        command: arguments of Python, the interpreter first; the training is added to it as JSON.
        training: what to train.
        logs: directory for the file of what the process prints.
        environment: variables beside those of this process.
    """

    def __init__(
        self, name: str, command: list[str], training: Training, logs: Path, **environment: str
    ) -> None:
        self.name, self.log = name, logs / f"{name}.log"
        with self.log.open("w") as errors:
            self.process = subprocess.Popen(
                [*command, json.dumps(asdict(training))],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def ready(self) -> Turn:
        """Wait until it has started and compiled."""
        return self._answer()

    def train(self, steps: int, profiled: bool = False) -> Turn:
        """Let it train for so many steps."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # what it said before it ended tells more
            print(json.dumps({"steps": steps, "profiled": profiled}), file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Turn:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self._fail()
        return Turn(**json.loads(line))

    def _fail(self) -> NoReturn:
        code = self.process.wait()
        last = "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-15:])
        raise SystemExit(f"{self.name} ended with code {code}; the last that it said:\n{last}")

    def close(self) -> None:
        """No more turns."""
        self.process.communicate()


def training_from_arguments() -> Training:
    """In a contender's process: what to train, from its last argument."""
    return Training(**json.loads(sys.argv[-1]))
