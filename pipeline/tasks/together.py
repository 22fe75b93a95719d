"""Pairs of texts that share one: the split keeps them on one side where each is read both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.evaluate.split import normal
from pipeline.tasks.base import Example


def together(examples: Sequence[Example]) -> list[Example]:
    """Examples of which all that share a group, a source or a target, by whatever chain, are one group.

    A text would else be read on one side of the split and written on the other.
    """
    leader: dict[str, str] = {}

    def first(name: str) -> str:
        while leader.setdefault(name, name) != name:
            leader[name] = leader[leader[name]]  # halves the way for the next one (Tarjan, 1975)
            name = leader[name]
        return name

    names = [normal(example.group) for example in examples]
    for name, example in zip(names, examples, strict=True):
        for side in ("source", "target"):
            text = normal(example.fields[side])
            leader[first(text)] = first(name)
    return [replace(example, group=first(name)) for name, example in zip(names, examples, strict=True)]
