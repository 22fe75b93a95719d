"""Held-out examples with what the model said, as a reader looks through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report.tables import ABSENT, number

_FIRST = 5
"""Examples that are seen at once; the others unfold."""
_RIGHT = 3
"""Right predictions among the first, where there are enough of both kinds."""
_MOST = 60
"""Examples of one kind, right, wrong or neither, on the page."""
_LONGEST = 600
"""Characters of a field; what follows is cut."""
_MOST_CLASSES = 30
_BOOKKEEPING = ("place", "group", "correct")


@dataclass(frozen=True)
class Shown:
    """One held-out example and what the model said of it."""

    fields: dict[str, str]
    place: str
    correct: bool | None
    """None where the task has no notion of right and wrong."""
    label: str
    """Its class; empty where examples have none."""


@dataclass(frozen=True)
class Examples:
    """Examples that can be told apart by right and wrong, by class and by their text."""

    first: Sequence[Shown]
    others: Sequence[Shown]
    of: str
    """How many of how many they are, in words."""

    @property
    def verdicts(self) -> bool:
        """Whether there are right ones and wrong ones to choose from."""
        return len({example.correct for example in self._every} - {None}) == 2

    @property
    def labels(self) -> list[str]:
        """Classes to choose from."""
        found = list(dict.fromkeys(example.label for example in self._every if example.label))
        return sorted(found) if 1 < len(found) <= _MOST_CLASSES else []

    @property
    def _every(self) -> list[Shown]:
        return [*self.first, *self.others]

    def __bool__(self) -> bool:
        return bool(self.first)


def spread(rows: Sequence[Mapping[str, Any]], right: Sequence[bool] | None = None) -> Examples:
    """Some of all predictions, evenly taken; first a few right and a few wrong ones.

    Args:
        rows: of ``predictions.jsonl``.
        right: whether each is right, where the rows do not say it and it is known.
    """
    every = [_shown(row, None if right is None else right[i]) for i, row in enumerate(rows)]
    kinds = {kind: [e for e in every if e.correct is kind] for kind in (True, False, None)}
    taken = {kind: _evenly(examples) for kind, examples in kinds.items()}
    wrong = taken[False]
    opening = [*taken[True][: max(_RIGHT, _FIRST - len(wrong))], *wrong] or taken[None]
    first = opening[:_FIRST]
    seen = {id(example) for example in first}
    others = [e for kind in (False, True, None) for e in taken[kind] if id(e) not in seen]
    words = {True: "right", False: "wrong", None: "held-out"}
    of = [f"{len(taken[k]):,} of {len(kinds[k]):,} {words[k]} ones" for k in kinds if kinds[k]]
    return Examples(first, others, ", ".join(of))


def worst_first(rows: Sequence[Mapping[str, Any]]) -> Examples:
    """The surest mistakes, as ``worst.jsonl`` has them in order."""
    every = [_shown(row, None) for row in rows[:_MOST]]
    return Examples(every[:_FIRST], every[_FIRST:], f"the {len(every):,} worst, the worst one first")


def _evenly(examples: Sequence[Shown]) -> list[Shown]:
    count = min(len(examples), _MOST)
    return [examples[place * len(examples) // count] for place in range(count)]


def _shown(row: Mapping[str, Any], right: bool | None) -> Shown:
    fields = {name: _readable(value) for name, value in row.items() if name not in _BOOKKEEPING}
    correct = bool(row["correct"]) if "correct" in row else right
    label = row.get("label", "")
    told = ", ".join(map(str, label)) if isinstance(label, list) else str(label)
    return Shown(fields, str(row.get("place", "")), correct, told[:_LONGEST])


def _readable(value: Any) -> str:
    """A field of an example as text a person reads: turns of a talk and likely answers one a line, long ones cut."""
    if _holds(value, "role", "content"):
        value = "\n".join(f"{turn['role']}: {turn['content']}" for turn in value)
    elif _holds(value, "text", "probability"):
        value = "\n".join(f"{number(said['probability'])}: {said['text'] or ABSENT}" for said in value)
    text = number(value) if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _holds(value: Any, *names: str) -> bool:
    """Whether it is a list of objects that all have these entries."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(entry, dict) and set(names) <= set(entry) for entry in value)
    )
