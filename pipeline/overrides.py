"""Flags of the command line to settings: tyro reads them, short ones are written out, what is wrong is one line."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args, get_type_hints

import tyro

from pipeline.errors import GroundupError, nearest, shown
from pipeline.settings import choices

T = TypeVar("T")

_LONGEST_SENTENCE = 300
"""Characters of what the parser says."""

_TASK = re.compile(r"^--tasks\.[^.]+\.")


def long_flags(arguments: list[str], short: dict[str, str], tasks: list[str]) -> list[str]:
    """Arguments with short flags and ``--finetune.X`` written out for every chosen task."""
    written: list[str] = []
    groups: list[list[str]] = []
    for argument in arguments:
        if argument.startswith("--") or not groups:
            groups.append([])
        groups[-1].append(argument)
    for group in groups:
        flag, equals, value = group[0].partition("=")
        flag = "--" + flag[2:].replace("_", "-") if flag.startswith("--") else flag
        flag = short.get(flag, flag).replace("--finetune.", "--tasks.TASK.")
        targets = [flag.replace("TASK", task) for task in tasks] if "TASK" in flag else [flag]
        for target in targets:
            written += [target, *([value] if equals else []), *group[1:]]
    return written


def flags(settings: object, prefix: str = "--") -> dict[str, Any]:
    """Every flag of a settings value, as the command line spells it, and its type."""
    found: dict[str, Any] = {}
    hints = get_type_hints(type(settings))
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]  # a dataclass by construction
        value, flag = getattr(settings, field.name), prefix + field.name.replace("_", "-")
        if dataclasses.is_dataclass(value):
            found |= flags(value, f"{flag}.")
        elif isinstance(value, dict):
            for name, entry in value.items():
                found |= flags(entry, f"{flag}.{name}.")
        else:
            found[flag] = hints[field.name]
    return found


def spelled(flag: str, value: Any) -> list[str]:
    """The arguments that give a setting a value, as the parser takes them."""
    if isinstance(value, bool):
        section, dot, name = flag.removeprefix("--").rpartition(".")
        return [flag if value else f"--{section}{dot}no-{name}"]
    return [flag, *map(str, value)] if isinstance(value, tuple) else [flag, str(value)]


def differences(base: object, changed: object) -> list[str]:
    """The arguments that make ``changed`` of ``base``, a value of the same settings."""
    pairs = ((flag, value_of(base, flag), value_of(changed, flag)) for flag in flags(base))
    return [word for flag, old, new in pairs if old != new for word in spelled(flag, new)]


def value_of(settings: Any, flag: str) -> Any:
    """The value of a setting by its long flag."""
    for name in flag.removeprefix("--").split("."):
        settings = (
            settings[name] if isinstance(settings, Mapping) else getattr(settings, name.replace("-", "_"))
        )
    return settings


def override(
    program: str,
    settings: T,
    arguments: list[str],
    tasks: list[str],
    short: dict[str, str] | None = None,
    known: Sequence[str] = (),
) -> T:
    """Settings with all that the arguments override.

    Args:
        program: whose arguments they are, for what is said when they are wrong.
        settings: the defaults.
        arguments: flags and values; ``--finetune.X`` is X of every task in ``tasks``.
        tasks: the chosen tasks.
        short: short flags and the settings they stand for.
        known: flags that are read elsewhere and may have been meant by a misspelt one.

    Raises:
        GroundupError: for a value that does not fit, and for an unknown setting, naming the nearest right one.
    """
    short = short or {}
    changed, unknown = parse(program, settings, long_flags(arguments, short, tasks))
    if unknown:
        flag = unknown[0].split("=")[0]
        if any(argument.startswith("--finetune.") for argument in arguments):
            flag = _TASK.sub("--finetune.", flag)
        raise no_such_setting(program, flag, settings, [*short, *known])
    return changed


def no_such_setting(program: str, flag: str, settings: object, known: Sequence[str] = ()) -> GroundupError:
    """The refusal of a flag that is none of these settings' nor among the ``known`` ones."""
    verb = program.removeprefix("groundup ")
    if not flag.startswith("-"):
        remedy = "settings begin with --, and a switch, such as --watch.no-energy, takes no value"
        return GroundupError(f"{verb} '{shown(flag)}'", "no such setting", remedy)
    right = list(flags(settings))
    right += [_TASK.sub("--finetune.", name) for name in right]
    return GroundupError(f"{verb} {shown(flag)}", "no such setting", nearest(flag, {*right, *known}))


def parse(program: str, default: T, arguments: list[str]) -> tuple[T, list[str]]:
    """``default`` with the overrides among the arguments, and the arguments that are none of its."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                type(default), prog=program, default=default, args=arguments, return_unknown_args=True
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        sentence = _sentence(said.getvalue())
        raise _misspelt(default, arguments, sentence) or GroundupError(
            program.removeprefix("groundup "), sentence, f"see {program} --help"
        ) from None


def _misspelt(default: object, arguments: list[str], sentence: str) -> GroundupError | None:
    """A better word for what the parser says of a value that is none of a setting's names."""
    hints = flags(default)
    words = [word for argument in arguments for word in argument.split("=", 1)]
    for flag, value in itertools.pairwise(words):
        names = choices(hints.get(flag))
        if names and value not in names and flag in sentence and repr(value) in sentence:
            kinds = (
                "neither a number nor one of its names"
                if int in get_args(hints[flag])
                else "none of its names"
            )
            return GroundupError(flag, f"'{shown(value)}' is {kinds}", nearest(value, names))
    return None


def _sentence(box: str) -> str:
    """The first paragraph below the title of the box, or plain rules, that the parser puts round an error."""
    lines = [line.strip("│ ") for line in box.splitlines()[1:]]
    for is_rule, paragraph in itertools.groupby(
        lines, key=lambda line: bool(line) and set(line) <= set("─-")
    ):
        if not is_rule:
            return textwrap.shorten(" ".join(paragraph), _LONGEST_SENTENCE, placeholder=" …")
    return "an argument is wrong"
