"""Whether what an attribution puts first is what the outcome hangs on: curves of deletion and insertion.

Tokens are taken out of what the model reads, or put back into what is empty, in the order of their scores (Petsiuk et
al., 2018, "RISE"). Of text, tokens are left out and not greyed: what is left is a shorter text, as for the
comprehensiveness and sufficiency of DeYoung et al. (2020, "ERASER"), whose curves these are. An order says something
where it does better than orders drawn at random.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.evaluate.said import Said, values
from pipeline.explain.asked import BATCH_TOKENS, Asked

CHANCE = 0.05
"""An order counts as better than random where at most such a share of random orders does as well."""

Kept = tuple[int, ...]
"""Positions of the movable tokens that are left, ascending."""


@dataclass(frozen=True)
class Curve:
    """An outcome's value with 0, 1/k, … and all of the movable tokens moved."""

    values: tuple[float, ...]

    @property
    def area(self) -> float:
        """Under it, over shares from 0 to 1, by trapezoids: the mean value."""
        return float(np.trapezoid(self.values, dx=1 / (len(self.values) - 1)))


@dataclass(frozen=True)
class Faithfulness:
    """Of one order, beside random ones."""

    deletion: Curve
    """The first tokens go first: the lower, the better."""
    insertion: Curve
    """The first tokens come first: the higher, the better."""
    p_deletion: float
    """Share of orders, this one and the random ones, whose deletion is as low or lower."""
    p_insertion: float
    """Share of orders whose insertion is as high or higher."""

    @property
    def better_by(self) -> tuple[str, ...]:
        """In which of the two it does better than random orders."""
        found = {"deletion": self.p_deletion, "insertion": self.p_insertion}
        return tuple(name for name, p in found.items() if p <= CHANCE)


@dataclass(frozen=True)
class Chance:
    """Random orders. Deleting along one is inserting along it backwards, so one curve of each serves for both."""

    curves: tuple[Curve, ...]

    @property
    def areas(self) -> list[float]:
        """Of each."""
        return [curve.area for curve in self.curves]

    @property
    def mean(self) -> float:
        """Of the areas."""
        return float(np.mean(self.areas))

    @property
    def deviation(self) -> float:
        """Standard deviation of the areas."""
        return float(np.std(self.areas, ddof=1)) if len(self.curves) > 1 else 0.0

    @property
    def deleted(self) -> Curve:
        """The mean of the curves."""
        return Curve(tuple(np.mean([curve.values for curve in self.curves], axis=0).tolist()))

    @property
    def inserted(self) -> Curve:
        """The same along the orders backwards."""
        return Curve(self.deleted.values[::-1])


@dataclass(frozen=True)
class Measured:
    """Of every method, and of chance."""

    methods: Mapping[str, Faithfulness]
    chance: Chance

    @property
    def whole(self) -> float:
        """The outcome's value after all that was read."""
        return self.chance.curves[0].values[0]

    @property
    def empty(self) -> float:
        """Its value where all movable tokens are gone."""
        return self.chance.curves[0].values[-1]


def measure(
    model: Any, tokenizer: Any, said: Said, scores: Mapping[str, Sequence[float]], asked: Asked
) -> Measured:
    """Curves along the order of each method's scores, and along random orders.

    Args:
        model: that said it.
        tokenizer: of the model.
        said: the outcome and what was read, of which at least one token is movable.
        scores: of every token, by method.
        asked: fractions, random orders and their seed.
    """
    movable, chance = said.movable, random.Random(asked.seed)
    orders = {name: sorted(movable, key=lambda p: -found[p]) for name, found in scores.items()}
    drawn = [chance.sample(movable, len(movable)) for _ in range(asked.orders)]
    moved = [round(len(movable) * step / asked.fractions) for step in range(asked.fractions + 1)]
    deletions = {name: _deleted(order, moved) for name, order in orders.items()}
    insertions = {name: _inserted(order, moved) for name, order in orders.items()}
    chances = [_deleted(order, moved) for order in drawn]
    wanted = {kept for curve in (*deletions.values(), *insertions.values(), *chances) for kept in curve}
    each = sorted(wanted)
    found = values(model, tokenizer, said.outcome, [said.part(kept) for kept in each], BATCH_TOKENS)
    value = dict(zip(each, found, strict=True))

    def curve(kept: Sequence[Kept]) -> Curve:
        return Curve(tuple(value[part] for part in kept))

    random_ones = Chance(tuple(curve(kept) for kept in chances))
    return Measured(
        {
            name: _against(curve(deletions[name]), curve(insertions[name]), random_ones.areas)
            for name in orders
        },
        random_ones,
    )


def _deleted(order: Sequence[int], moved: Sequence[int]) -> list[Kept]:
    return [tuple(sorted(order[count:])) for count in moved]


def _inserted(order: Sequence[int], moved: Sequence[int]) -> list[Kept]:
    return [tuple(sorted(order[:count])) for count in moved]


def _against(deletion: Curve, insertion: Curve, areas: Sequence[float]) -> Faithfulness:
    lower = sum(area <= deletion.area for area in areas)
    higher = sum(area >= insertion.area for area in areas)
    return Faithfulness(deletion, insertion, (1 + lower) / (1 + len(areas)), (1 + higher) / (1 + len(areas)))
