"""What a sweep tries: ``--over SETTING=A..B:log`` and ``--over SETTING=a,b,c``, typed as the settings are."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.checks import check
from pipeline.errors import GroundupError
from pipeline.model.scaling import resolved
from pipeline.overrides import flags, long_flags, no_such_setting, override, spelled, value_of
from pipeline.recipe import Recipe

_PROGRAM = "groundup sweep"
_GRAMMAR = "write SETTING=A..B, =A..B:log, =A..B:STEP or =ONE,OTHER,…"
_RANGE = re.compile(r"(?P<low>[^:]+?)\.\.(?P<high>[^:]+)(?::(?P<form>.+))?")
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; whole ones where the setting is one."""

    low: Any
    high: Any
    logarithmic: bool = False
    """Drawn evenly in the logarithm, so that each power of ten is as likely as the next."""
    step: Any = None
    """Distance of the values, counted from ``low``; None takes whatever lies between."""

    @property
    def edges(self) -> tuple[Any, ...]:
        """The values that are furthest apart."""
        return (self.low, self.high)

    def holds(self, value: float) -> bool:
        """Whether a value is one of them."""
        steps = (value - self.low) / self.step if self.step else 0.0
        return self.low <= value <= self.high and math.isclose(steps, round(steps), abs_tol=1e-9)


@dataclass(frozen=True)
class Choices:
    """Some values as the command line writes them; a setting that takes several has blanks between them."""

    edges: tuple[str, ...]


Dimension = Range | Choices


@dataclass(frozen=True)
class Space:
    """The settings that a sweep tries, and what each may be."""

    recipe: Recipe
    """With the settings that all trials share."""
    tasks: tuple[str, ...]
    """The tasks that ``finetune.X`` speaks of."""
    dimensions: Mapping[str, Dimension] = field(default_factory=dict)
    """By the name of the setting, as the user wrote it."""

    def at(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe with these settings.

        Raises:
            GroundupError: for values that a setting does not take, or that do not go together.
        """
        recipe = self.changed(values)
        check(recipe)
        return recipe

    def own(self) -> dict[str, Any] | None:
        """The recipe's own values, where the space holds them all."""
        found = {name: self._own(name, dimension) for name, dimension in self.dimensions.items()}
        return None if None in found.values() else found

    def typed(self, name: str, text: str) -> Any:
        """A value as the setting has it.

        Raises:
            GroundupError: for one that it does not take.
        """
        return value_of(self.changed({name: text}), self._flag(name))

    def changed(self, values: Mapping[str, Any]) -> Recipe:
        """The same, whether or not they go together."""
        arguments = [word for name, value in values.items() for word in self._arguments(name, value)]
        return override(_PROGRAM, self.recipe, arguments, list(self.tasks))

    def _arguments(self, name: str, value: Any) -> list[str]:
        if isinstance(value_of(self.recipe, self._flag(name)), bool):
            if value.lower() not in _TRUTH:
                raise GroundupError(f"--over {name}", f"'{value}' is neither true nor false", _GRAMMAR)
            return spelled(f"--{name}", _TRUTH[value.lower()])
        return [f"--{name}", *shlex.split(value)] if isinstance(value, str) else spelled(f"--{name}", value)

    def _flag(self, name: str) -> str:
        flag = next(iter(long_flags([f"--{name}"], {}, list(self.tasks))), "")
        if flag not in flags(self.recipe):
            raise no_such_setting(_PROGRAM, f"--{name}", self.recipe)
        return flag

    def _own(self, name: str, dimension: Dimension) -> Any:
        own = value_of(resolved(self.recipe), self._flag(name))
        if isinstance(dimension, Range):
            return own if dimension.holds(own) else None
        return next((choice for choice in dimension.edges if self.typed(name, choice) == own), None)


def space_of(recipe: Recipe, over: Sequence[str], tasks: Sequence[str]) -> Space:
    """Read the settings to try.

    Args:
        recipe: with the settings that all trials share.
        over: one ``SETTING=VALUES`` for each.
        tasks: what ``finetune.X`` speaks of.

    Raises:
        GroundupError: for an unknown setting, naming the nearest, and for values that it does not take.
    """
    if not over:
        raise GroundupError("sweep", "no setting is named", f"name some with --over: {_GRAMMAR}")
    bare = Space(recipe, tuple(tasks))
    dimensions: dict[str, Dimension] = {}
    for text in over:
        setting, _, values = text.partition("=")
        name = setting.removeprefix("--").replace("_", "-")
        if name in dimensions:
            raise GroundupError(f"--over {name}", "it is named twice", "name each setting once")
        dimensions[name] = _dimension(bare, name, values)
    return Space(recipe, tuple(tasks), dimensions)


def _dimension(bare: Space, name: str, values: str) -> Dimension:
    where, bounds = f"--over {name}={values}", _RANGE.fullmatch(values)
    choices = tuple(value.strip() for value in values.split(","))
    if len(choices) == 1 and bounds:
        ends = [bare.typed(name, bounds[end]) for end in ("low", "high")]
        if any(isinstance(end, bool) or not isinstance(end, int | float) for end in ends):
            raise GroundupError(where, "only numbers have a range", f"write {name}=ONE,OTHER,…")
        step = bare.typed(name, bounds["form"]) if bounds["form"] not in (None, "log") else None
        return _range(where, ends[0], ends[1], bounds["form"] == "log", step)
    for choice in choices:
        bare.typed(name, choice)
    if len(set(choices)) < len(choices):
        raise GroundupError(where, "a value is named twice", "name each once")
    if len(choices) == 1:
        raise GroundupError(where, "there is nothing to choose from", _GRAMMAR)
    return Choices(choices)


def _range(where: str, low: Any, high: Any, logarithmic: bool, step: Any) -> Range:
    if not low < high:
        raise GroundupError(where, f"{low} is not below {high}", _GRAMMAR)
    if logarithmic and low <= 0:
        raise GroundupError(where, f"{low} has no logarithm", "begin above 0, or leave :log away")
    found = Range(low, high, logarithmic, step)
    if step is not None and not (step > 0 and found.holds(high)):
        raise GroundupError(where, f"steps of {step} do not lead from {low} to {high}", _GRAMMAR)
    return found
