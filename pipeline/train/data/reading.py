"""A task's data, read whole in a process of its own, which tells how much they take and how long examples are."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil

from pipeline.apart import apart
from pipeline.errors import GroundupError
from pipeline.model.published import load_tokenizer
from pipeline.model.special_tokens import check_end_of_text
from pipeline.recipe import Finetune
from pipeline.tasks import task_named
from pipeline.tasks.base import Example, Task
from pipeline.train.data.examples import read_examples
from pipeline.train.data.lengths import Lengths, lengths_of


@dataclass(frozen=True)
class Start:
    """What a task's examples are encoded for."""

    tokenizer: str
    """Where it is."""
    config: Any
    """The model's."""
    name: str
    """What a user calls the model."""


@dataclass(frozen=True)
class Reading:
    """What was read of a task."""

    examples: int
    """To train on."""
    held: float
    """Bytes by which the process grew, and which its training has too: examples, and gaps that reading left."""
    lengths: Lengths | None = None
    """None where there is no tokenizer to tell them by."""
    new_tokens: tuple[str, ...] = ()
    """Tokens that the task adds to the tokenizer, with a chat template, say; they are learnt from its data alone."""


def read_apart(name: str, settings: Finetune, share: float, seed: int) -> Reading:
    """Read and split a task's data as its training does.

    A process has to read nothing before, for what it has freed it would use again: so each task has one, where the
    system can fork safely. On others it is read here, and some of what it takes stays unseen.

    Raises:
        GroundupError: what reading refuses, or when the data do not fit into memory.
    """
    found = read_all_apart({name: settings}, share, seed, {})[name]
    if isinstance(found, GroundupError):
        raise found
    return found


def read_all_apart(
    tasks: Mapping[str, Finetune], share: float, seed: int, starts: Mapping[str, Start]
) -> dict[str, Reading | GroundupError]:
    """The same of several tasks, as many at a time as there are cores; a refusal is told in the place of what was read.

    Args:
        tasks: settings by task.
        share: that is held out.
        seed: of split and sample.
        starts: by task what its examples are encoded for, where that is known.
    """
    works = {
        f"task '{name}'": partial(_read, name, settings, share, seed, starts.get(name))
        for name, settings in tasks.items()
    }
    return dict(zip(tasks, apart(works).values(), strict=True))


def _read(name: str, settings: Finetune, share: float, seed: int, start: Start | None) -> Reading:
    before, task = _own_bytes(), task_named(name, settings)
    train = read_examples(task, share, seed).train
    held = max(0.0, _own_bytes() - before)
    return _encoded(task, train, start, seed, held) if start else Reading(len(train), held)


def _encoded(task: Task, train: list[Example], start: Start, seed: int, held: float) -> Reading:
    tokenizer, config = load_tokenizer(start.tokenizer), copy.deepcopy(start.config)
    before = set(tokenizer.get_vocab())
    task.prepare_tokenizer(tokenizer)
    check_end_of_text(tokenizer, task.class_for(config), start.name)
    for setting, value in task.model_config(train).items():
        setattr(config, setting, value)
    new = sorted(set(tokenizer.get_vocab()) - before)
    lengths = lengths_of(task, train, tokenizer, config, seed)
    if lengths is None:
        raise GroundupError(
            f"task '{task.name}'", "no example that was tried fits into --max-tokens", "raise it"
        )
    return Reading(len(train), held, lengths, tuple(new))


def _own_bytes() -> float:
    """Of this process in memory, without files that are mapped, where the system tells them apart."""
    taken = psutil.Process().memory_info()
    return float(taken.rss - getattr(taken, "shared", 0))
