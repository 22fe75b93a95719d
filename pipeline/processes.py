"""Several processes started by Accelerate or torchrun: who is first, and doing a thing once for all."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from glob import glob
from typing import Any, Literal, TypeVar

from pipeline.errors import GroundupError

T = TypeVar("T")

_DEVICES = "/dev/nvidia[0-9]*", "/dev/dxg", "/dev/kfd"
"""Files of NVIDIA's GPUs, of those under Windows' Linux, of AMD's."""
_PATIENCE = timedelta(hours=24)
"""How long the others wait while the first process prepares a corpus."""


def world_size() -> int:
    """Number of processes, 1 where no launcher has started several."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def shards_weights() -> bool:
    """Whether Accelerate was told to spread each weight over the processes (FSDP, DeepSpeed)."""
    return any(
        os.environ.get(f"ACCELERATE_USE_{kind}", "").lower() == "true" for kind in ("FSDP", "DEEPSPEED")
    )


def visible_gpus() -> int:
    """Number of GPUs that PyTorch sees; it is imported only where the system lists any."""
    if "torch" not in sys.modules and not any(map(glob, _DEVICES)):
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def rank() -> int:
    """Number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Whether this is the process that prints, writes and prepares."""
    return rank() == 0


def say(line: str) -> None:
    """Print a line in the first process only."""
    if is_main():
        print(line, flush=True)


def on_main(work: Callable[[], T]) -> T:
    """Do ``work`` in the first process only and hand its result, or its error, to all."""
    if world_size() == 1:
        return work()
    _join()
    from accelerate.utils import broadcast_object_list

    outcome: list[T | GroundupError | None] = [None]
    if is_main():
        try:
            outcome = [work()]
        except GroundupError as error:
            outcome = [error]
    broadcast_object_list(outcome)
    if isinstance(outcome[0], GroundupError):
        raise outcome[0]
    return outcome[0]  # type: ignore[return-value]  # the value the first process put there


def meet() -> None:
    """Wait until every process is here."""
    if world_size() > 1:
        _join()
        from accelerate import PartialState

        PartialState().wait_for_everyone()


def over_processes(number: float, how: Literal["mean", "max"], device: Any) -> float:
    """The mean, or the greatest, of the numbers that all processes give.

    Args:
        number: this process's.
        how: what is taken of them.
        device: a ``torch.device`` that this process may send from.
    """
    if world_size() == 1:
        return number
    import torch

    given = torch.tensor(number, dtype=torch.float64, device=device)
    operation = torch.distributed.ReduceOp.MAX if how == "max" else torch.distributed.ReduceOp.SUM
    torch.distributed.all_reduce(given, operation)
    return given.item() / (world_size() if how == "mean" else 1)


def part() -> None:
    """Leave the other processes when all is done: a thread of theirs that outlives the interpreter aborts it."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _join() -> None:
    """Meet the other processes, once; Trainer finds the group and takes it over."""
    import torch

    if not torch.distributed.is_initialized():
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)
