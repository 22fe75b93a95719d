"""Flags of the command line to settings: tyro reads them, short ones are written out, what is wrong is one line."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
from typing import TypeVar

import tyro

from pipeline.errors import GroundupError

T = TypeVar("T")


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


def flags(settings: object, prefix: str = "--") -> list[str]:
    """Every flag of a settings value, as the command line spells it."""
    found: list[str] = []
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]  # a dataclass by construction
        value, flag = getattr(settings, field.name), prefix + field.name.replace("_", "-")
        if dataclasses.is_dataclass(value):
            found += flags(value, f"{flag}.")
        elif isinstance(value, dict) and value:
            found += [f for name, entry in value.items() for f in flags(entry, f"{flag}.{name}.")]
        else:
            found.append(flag)
    return found


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
        raise GroundupError(
            program.removeprefix("groundup "), _sentence(said.getvalue()), f"see {program} --help"
        ) from None


def _sentence(box: str) -> str:
    """The first paragraph below the title of the box, or plain rules, that the parser puts round an error."""
    lines = [line.strip("│ ") for line in box.splitlines()[1:]]
    for is_rule, paragraph in itertools.groupby(
        lines, key=lambda line: bool(line) and set(line) <= set("─-")
    ):
        if not is_rule:
            return " ".join(paragraph).strip()
    return "an argument is wrong"
