"""Write docs/settings.md: every setting, as the dataclasses of recipes and verbs have it.

python -m docs.scripts.settings          # or make docs
"""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import tyro
from docstring_parser import parse_from_object

from docs.scripts.pages import ROOT
from pipeline.artifacts import write_text
from pipeline.model.scaling import resolved
from pipeline.overrides import flags, value_of
from pipeline.recipe import Dpo, Finetune, Grpo, Model, Pretrain, Recipe, Rung
from pipeline.settings import choices, fingerprint
from pipeline.stages import Run
from pipeline.verbs import VERBS
from pipeline.verbs.common import Common, Nothing

PAGE = ROOT / "docs" / "settings.md"

_TASK, _RUNG = "TASK", "RUNG"
_POSITIONAL = get_args(tyro.conf.Positional[str])[1:]
"""What marks a setting that is given without a flag."""
_WHOLE = resolved(
    Recipe(
        model=Model(depth=4),
        pretrain=Pretrain(steps=1),
        tasks={_TASK: Finetune(data="-")},
        dpo=Dpo(data="-"),
        grpo=Grpo(data=("-",)),
        lineage={_RUNG: Rung()},
    )
)
"""A recipe with every stage, and numbers for all that would follow from others."""


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join(
        [_HEAD, *_recipe_tables(), _VERBS_HEAD, *_verb_tables(), _SHORT_HEAD, *_short_table(), ""]
    )


_HEAD = """\
# Every setting

Written by `make docs` from the dataclasses of [`pipeline/recipe/`](../pipeline/recipe/) and
[`pipeline/verbs/`](../pipeline/verbs/); a test holds it to them. What the settings are for stands in
[training](training.md), [tasks](tasks.md), [the corpus](corpus.md), [the tokenizer](tokenizer.md) and
[the model](models.md).

- Every verb takes every setting of the recipe: `groundup pretrain --pretrain.steps 1000`. In a recipe's file a setting
  is written as Python has it: `Pretrain(steps=1000)`. `groundup VERB --help` shows the values of the recipe that is
  named.
- `TASK` is the name of a task, such as `--tasks.sentiment.steps`. With `--task NAME` (or `all`) `--finetune.steps` is
  that setting of the tasks that were named. `RUNG` is the name of a rung of a [lineage](lineage.md).
- A switch takes no value: `--corpus.no-mask-personal-data` turns it off. What takes several values takes them separated
  by blanks.
- The default is that of the dataclass; recipes set their own. Of a model's size 0 means that it follows from the dial.
- *Makes anew* names the first stage that is done again when the setting changes, and so those after it are. A dash:
  none; such a setting is *incidental* and part of no fingerprint. What is at 0, or
  named by the dial, may follow from another setting and is then made anew with it.
"""

_VERBS_HEAD = """
## Settings of single verbs

These are no part of a recipe, and stand on the command line only. All verbs take those of the first table.
"""

_SHORT_HEAD = """
## Short flags

| verb | short | stands for |
| --- | --- | --- |"""


def _recipe_tables() -> Iterator[str]:
    """A section for each part of a recipe, in the recipe's order; first what belongs to the whole."""
    sections: dict[str, list[str]] = {}
    hints = flags(_WHOLE)
    for flag in hints:
        sections.setdefault(_section(flag), []).append(flag)
    before = _marks(_WHOLE)
    anew = {flag: _made_anew(before, changed(_WHOLE, flag, hint)) for flag, hint in hints.items()}
    for section, names in sections.items():
        kind = type(value_of(_WHOLE, f"--{section}") if section else _WHOLE)
        yield f"\n## {f'`{section}`' if section else 'The recipe'}\n\n{_said(kind)}\n"
        yield "| setting | type | default | makes anew | |\n| --- | --- | --- | --- | --- |"
        for flag in names:
            yield _row(flag, kind, anew[flag] or "–")


def _verb_tables() -> Iterator[str]:
    yield from _options("Every verb", Common())
    for options, verbs in _verbs_by_options():
        yield from _options(", ".join(f"`{name}`" for name in verbs), options)


def _options(title: str, options: Any) -> Iterator[str]:
    yield f"\n### {title}\n\n| setting | type | default | |\n| --- | --- | --- | --- |"
    for flag in flags(options):
        yield _row(flag, type(options))


def _verbs_by_options() -> Iterator[tuple[Any, list[str]]]:
    """Options, each with all verbs that take them."""
    by_kind: dict[type, list[str]] = {}
    for name, verb in VERBS.items():
        if verb.options != Nothing():
            by_kind.setdefault(type(verb.options), []).append(name)
    for verbs in by_kind.values():
        yield VERBS[verbs[0]].options, verbs


def _short_table() -> Iterator[str]:
    """Verbs with the same short flags share their rows."""
    by_flag: dict[tuple[str, str], list[str]] = {}
    for name, verb in VERBS.items():
        for short, setting in verb.short.items():
            by_flag.setdefault((short, setting), []).append(f"`{name}`")
    for (short, setting), verbs in by_flag.items():
        yield f"| {', '.join(verbs)} | `{short}` | `{setting}` |"


def _section(flag: str) -> str:
    return flag.removeprefix("--").rpartition(".")[0]


def _row(flag: str, kind: type, *beside: str) -> str:
    """One row: flag, type, default, what stands beside, docstring."""
    name = flag.removeprefix("--").rpartition(".")[2].replace("-", "_")
    default = {f.name: f.default for f in dataclasses.fields(kind)}[name]
    hint = get_type_hints(kind, include_extras=True)[name]
    typed = name.upper() if get_args(hint)[1:] == _POSITIONAL else flag
    cells = [
        f"`{typed}`",
        _type(get_type_hints(kind)[name]),
        _shown(default),
        *beside,
        _documented(kind)[name],
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _said(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").split())


def _documented(kind: type) -> Mapping[str, str]:
    """The docstring under each setting, those of base classes included."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        for said in parse_from_object(base).params:
            found[said.arg_name] = " ".join((said.description or "").split())
    return found


def _type(hint: Any) -> str:
    """What the command line takes, in words; names as they are typed."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return ", ".join(f"`{name}`" for name in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(part) for part in parts if part is not type(None))
    if origin is tuple and parts[-1] is Ellipsis:
        return f"several: {_type(parts[0])}"
    if origin is tuple:
        return f"{len(parts)} of: {_type(parts[0])}"
    return {bool: "switch", int: "whole number", float: "number", str: "text", Path: "path"}[hint]


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    if default in ("", (), None, Path()):
        return ""
    return " ".join(f"`{value}`" for value in (default if isinstance(default, tuple) else (default,)))


def _made_anew(before: Mapping[str, str], recipe: Recipe) -> str:
    """The first stage whose own fingerprint differs; empty where there is none."""
    after = _marks(recipe)
    found = next((name for name, mark in before.items() if after.get(name) != mark), "")
    return "the task" if _TASK in found else f"`{found}`" if found else ""


def _marks(recipe: Recipe) -> dict[str, str]:
    """Of every stage, all that it depends on beside the stages before it."""
    stages = Run(recipe, Path()).stages()
    return {name: fingerprint(stage.settings, stage.data, stage.start) for name, stage in stages.items()}


def changed(recipe: Recipe, flag: str, hint: Any) -> Recipe:
    """The recipe with another value of one setting, of its type."""
    return _with(recipe, flag.removeprefix("--").split("."), _other(value_of(recipe, flag), hint))


def _with(settings: Any, path: Sequence[str], value: Any) -> Any:
    """Settings with a value at a place: names of fields, and of tasks."""
    if not path:
        return value
    if isinstance(settings, Mapping):
        return {**settings, path[0]: _with(settings[path[0]], path[1:], value)}
    name = path[0].replace("-", "_")
    return dataclasses.replace(settings, **{name: _with(getattr(settings, name), path[1:], value)})


def _other(value: Any, hint: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return value[::-1] if len(set(value)) > 1 else (*value, "-")
    names = [name for name in choices(hint) if name != value]
    return names[0] if names and isinstance(value, str) else value + ("-" if isinstance(value, str) else 1)


if __name__ == "__main__":
    write_text(PAGE, page())
