"""Checkpoints: whole or not there, kept with checksums, and room for the next one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pipeline.artifacts import file_facts, read_json, sync, write_json
from pipeline.errors import GroundupError
from pipeline.processes import is_main, meet, on_main, say

_CHECKSUMS = "checksums.json"
_WRITING = ".writing"
_ROOM = 1.05
"""The room that is asked for, of what a checkpoint takes."""


def resumes_at(checkpoints: Path) -> int:
    """The step that training will go on from; 0 where it begins."""
    checkpoint = last_checkpoint(checkpoints)
    return _step(checkpoint) if checkpoint else 0


def newest_step(checkpoints: Path) -> int:
    """The step of the newest checkpoint that was written, whole or not; 0 where there is none."""
    return max(map(_step, checkpoints.glob("checkpoint-*")), default=0)


def last_checkpoint(directory: Path) -> Path | None:
    """The newest checkpoint that is what was written; newer ones that are damaged are told of and go.

    In every process the same, as the first one finds it.
    """
    return on_main(lambda: _last_whole(directory))


def _last_whole(directory: Path) -> Path | None:
    damaged = []
    for checkpoint in _in_order(directory):
        if what := _damage(checkpoint):
            say(f"{checkpoint}: {what}; it is not used")
            damaged.append(checkpoint)
            continue
        for newer in damaged:
            shutil.rmtree(newer)
        if damaged:
            say(f"{checkpoint}: goes on from here, the last whole one")
        return checkpoint
    if damaged:
        say(f"{directory}: no checkpoint is whole, and the training begins anew")
    return None


def _in_order(directory: Path) -> list[Path]:
    """The checkpoints, the newest first."""
    return sorted(directory.glob("checkpoint-*"), key=_step, reverse=True)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _damage(checkpoint: Path) -> str:
    """In what a checkpoint is not what was written; empty where it is."""
    try:
        written = read_json(checkpoint / _CHECKSUMS)["files"]
        for name, facts in written.items():
            if file_facts(checkpoint / name) != facts:
                return f"{name} is damaged"
    except (GroundupError, OSError, KeyError, TypeError, AttributeError):
        return "it is not whole"
    return ""


class KeepCheckpoints(TrainerCallback):
    """Has the Trainer write its checkpoints beside; syncs, seals and renames them while the training goes on.

    Sealing is a file of sizes and SHA-256 sums, written last. Kept are the newest ``save_total_limit`` and the one of
    the best measurement, where measurements have an order (``metric_for_best_model``).

    Args:
        directory: of the checkpoints.
        args: the Trainer's; told where to write.
    """

    def __init__(self, directory: Path, args: TrainingArguments) -> None:
        self.directory, self.beside = directory, directory / _WRITING
        args.output_dir = str(self.beside)
        self._sealing = ThreadPoolExecutor(max_workers=1)
        self._last: Future[None] | None = None

    @contextmanager
    def working(self) -> Iterator[None]:
        """While the block runs; the last checkpoint is in its place when it ends, also by an error."""
        on_main(lambda: shutil.rmtree(self.beside, ignore_errors=True))
        self._sealing.submit(bool)  # starts the thread while there is memory for its stack
        try:
            yield
        finally:  # alone: at an error the other processes are elsewhere
            self._sealing.shutdown()
            if is_main():
                shutil.rmtree(self.beside, ignore_errors=True)
        self._wait()

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        optimizer: Any = None,
        **_: object,
    ) -> None:
        """Before the Trainer writes: the last one has to be done, and there has to be room."""
        if control.should_save:
            self._wait()
            needed = _bytes(model, optimizer)
            on_main(lambda: _check_room(self.directory, needed))

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        meet()  # each process has written its random state
        if state.is_world_process_zero:
            step, best = state.global_step, state.best_global_step
            self._last = self._sealing.submit(self._seal, step, best, args.save_total_limit)

    def on_train_end(self, args: TrainingArguments, *_: object, **__: object) -> None:
        self._wait()
        meet()

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()

    def _seal(self, step: int, best: int | None, kept: int | None) -> None:
        written = self.beside / f"checkpoint-{step}"
        files = sorted(file for file in written.rglob("*") if file.is_file())
        for file in files:
            sync(file)
        write_json(
            written / _CHECKSUMS, {"files": {str(f.relative_to(written)): file_facts(f) for f in files}}
        )
        place = self.directory / written.name
        shutil.rmtree(place, ignore_errors=True)  # of a run that went back to before it
        written.rename(place)
        sync(self.directory)
        for old in _in_order(self.directory)[kept:] if kept else ():
            if _step(old) != best:
                shutil.rmtree(old)


def _bytes(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """What a checkpoint takes, but for a few kilobytes: all weights, and what the optimiser remembers."""
    tensors = [*model.parameters(), *_tensors(optimizer.state_dict())]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    """All that are in a tree of dictionaries."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part)


def _check_room(directory: Path, needed: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(directory).free
    if free < needed * _ROOM:
        raise GroundupError(
            str(directory),
            f"the next checkpoint takes {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free",
            "make room and run the same command again: it goes on from the checkpoint before",
        )
