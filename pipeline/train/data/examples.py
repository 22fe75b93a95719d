"""A task's examples: read, split so that no group is on both sides, encoded."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.errors import GroundupError
from pipeline.evaluate.split import normal, position
from pipeline.processes import say
from pipeline.recipe import Finetune
from pipeline.sources import Row, read_all, read_splits
from pipeline.sources.tolerance import passed_over, tolerated
from pipeline.tasks import task_named
from pipeline.tasks.base import Example, Task

_SMALLEST_HELD_OUT = 50
"""Small data gives a larger share than set, up to a fifth, so that the held-out part measures something."""

_FEW_GROUPS = 5
_MOST_VALIDATED = 1000
"""Examples; small data gives a tenth."""
_OWNER = "example"
"""Column of features while they are made."""


@dataclass(frozen=True)
class Parts:
    """What is trained on, what is measured on, and what a task settles on that training does not."""

    train: list[Example]
    held_out: list[Example]
    validation: list[Example] = field(default_factory=list)


def read_examples(task: Task, share: float, seed: int) -> Parts:
    """Read the task's data; split off a held-out part where the data brings none of its own.

    Raises:
        GroundupError: when there is no data, or too little to split.
    """
    settings = task.settings
    if not settings.data:
        raise GroundupError(f"task '{task.name}'", "there is no data for it", "name some with --data")
    rows, own_rows = read_splits(settings.data)
    if settings.eval_data:
        own_rows = read_all(settings.eval_data, "test")
    train = list(task.examples(usable(rows, task)))
    if own_rows is None:
        if len({e.group for e in train}) < _FEW_GROUPS:
            train = [replace(e, group=task.finer_group(e)) for e in train]
        parts = _with_every_kind(task, split(train, share, seed))
    else:
        held_out = list(task.examples(usable(own_rows, task)))
        parts = Parts(without(train, held_out), held_out)
        if len(parts.train) < len(train):
            say(
                f"{task.name}: {len(train) - len(parts.train)} training examples are held out too, and left out"
            )
    if task.validates:
        parts = _with_validation(task, parts, seed)
    if parts.train:
        task.check(parts.train, parts.held_out)
    if not parts.train or not parts.held_out:
        raise GroundupError(
            settings.data,
            f"{len(train)} usable examples do not make a training and a held-out part",
            "give more data with different inputs",
        )
    return parts


def usable(rows: Iterable[Row], task: Task) -> Iterator[Row]:
    """Rows that hold examples; as many others as the settings tolerate are told of and passed over.

    Raises:
        GroundupError: at the first one beyond them.
    """
    most, numbers = task.settings.skip_bad_rows, itertools.count(1)

    def tell(refusal: GroundupError) -> None:
        say(passed_over(task.name, next(numbers), most, refusal))

    return tolerated(rows, most, lambda row: list(task.examples([row])), tell)


def held_out_texts(tasks: Mapping[str, Finetune], share: float, seed: int) -> Iterator[str]:
    """Every text in the held-out parts of tasks that have data: what nothing may be trained on."""
    for name, settings in tasks.items():
        if settings.data:
            for example in read_examples(task_named(name, settings), share, seed).held_out:
                yield from _texts(example.fields)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _texts(entry)
    elif isinstance(value, Sequence):
        for entry in value:
            yield from _texts(entry)


def split(examples: list[Example], share: float, seed: int) -> Parts:
    """Groups below the share are held out, and the next ones in order until the part is large enough."""
    place = {e.group: position(e.group, seed) for e in examples}
    least = min(_SMALLEST_HELD_OUT, len(examples) // 5)
    return _apart(examples, max(sum(place[e.group] < share for e in examples), least, 1), place)


def _apart(examples: list[Example], count: int, place: Mapping[str, float]) -> Parts:
    """Held out are the first groups in order of their places, until they have so many examples."""
    ordered = sorted(place[e.group] for e in examples)
    border = ordered[min(count, len(ordered)) - 1] if ordered and count else -1.0
    return Parts(
        [e for e in examples if place[e.group] > border], [e for e in examples if place[e.group] <= border]
    )


def without(examples: Sequence[Example], others: Sequence[Example]) -> list[Example]:
    """Those whose group none of the others has."""
    groups = {normal(e.group) for e in others}
    return [e for e in examples if normal(e.group) not in groups]


def _with_validation(task: Task, parts: Parts, seed: int) -> Parts:
    """Groups that the training part loses to the validation part: by the hash too, whatever is held out."""
    place = {e.group: position(f"validation\n{e.group}", seed) for e in parts.train}
    apart = _apart(parts.train, min(_MOST_VALIDATED, len(parts.train) // 10), place)
    split = _with_every_kind(task, apart)
    return Parts(split.train, parts.held_out, split.held_out)


def _with_every_kind(task: Task, parts: Parts) -> Parts:
    """Groups with a kind of example that fell to the held-out part alone go back to the training part."""
    known = {task.kind(e) for e in parts.train}
    back = {e.group for e in parts.held_out if task.kind(e) not in known}
    return Parts(
        [*parts.train, *(e for e in parts.held_out if e.group in back)],
        [e for e in parts.held_out if e.group not in back],
    )


@dataclass(frozen=True)
class Encoded:
    """What is trained on: of each example one feature or more."""

    features: Any
    """A ``datasets.Dataset``."""
    owners: list[int]
    """Which of the examples each feature is made of."""
    examples: list[Example]


def encode(
    task: Task, examples: Sequence[Example], tokenizer: Any, config: Any, most: int, seed: int
) -> Encoded:
    """At most ``most`` examples, drawn by the seed.

    Raises:
        GroundupError: when none of them makes a feature.
    """
    import datasets

    chosen = list(examples)
    random.Random(seed).shuffle(chosen)
    chosen = chosen[:most]
    table = datasets.Dataset.from_list([dict(example.fields) for example in chosen])

    def features(batch: dict[str, list[Any]], numbers: list[int]) -> dict[str, list[Any]]:
        made = task.encode({name: values[0] for name, values in batch.items()}, tokenizer, config)
        return {**made, _OWNER: numbers * len(made["input_ids"])}

    datasets.disable_progress_bars()
    encoded = table.map(
        features,
        batched=True,
        batch_size=1,
        with_indices=True,
        remove_columns=table.column_names,
        new_fingerprint=f"{task.name}-{seed}-{most}",
        load_from_cache_file=False,
    )
    if not len(encoded):
        raise GroundupError(f"task '{task.name}'", "no example fits into --max-tokens", "raise it")
    return Encoded(encoded.remove_columns(_OWNER), list(encoded[_OWNER]), chosen)
