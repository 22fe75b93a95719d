"""The command line: a verb and the settings it is given. Starts fast: what is heavy is imported by the verb."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.checks import check
from pipeline.errors import GroundupError, Interrupted, nearest, refuse_surrogates
from pipeline.overrides import flags, override, parse
from pipeline.processes import part
from pipeline.recipe import ALIGNED, Recipe
from pipeline.recipe_files import load_recipe
from pipeline.redaction import redacted, told
from pipeline.verbs import VERBS
from pipeline.verbs.common import Common, Nothing, Verb, chosen_tasks, with_task

_QUIET = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_VERBOSITY": "error"}
_WITHOUT_BARS = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
}
"""The libraries' own switches; whoever has set one otherwise keeps it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. The exit code is 0, 2 for what the user can mend, 130 when interrupted, 75 when cut off."""
    quieten()
    sys.excepthook = told
    try:
        _dispatch(list(sys.argv[1:] if arguments is None else arguments))
        part()
    except GroundupError as error:
        print(f"groundup: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # whoever read our output, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno is None:  # a library's own, and no matter of files
            raise
        where = error.filename or "the machine"
        line = f"groundup: {where}: {error.strerror}; mend that and run the same command again"
        print(redacted(line), file=sys.stderr)
        return GroundupError.exit_code
    except (Interrupted, KeyboardInterrupt) as error:
        print(
            f"groundup: {str(error) or 'stopped; the same command goes on from what is done'}",
            file=sys.stderr,
        )
        return error.exit_code if isinstance(error, Interrupted) else Interrupted.exit_code
    return 0


def quieten() -> None:
    """Let libraries that are imported from now on say no more than a person wants to read."""
    for switch, value in {**_QUIET, **({} if sys.stderr.isatty() else _WITHOUT_BARS)}.items():
        os.environ.setdefault(switch, value)
    # Where they are installed, they tell every command of kernels that are missing and that nothing here calls; the
    # last one is torch's, on what torchao does as transformers imports it.
    for name in ("bitsandbytes", "torchao", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _dispatch(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return
    verb, common, recipe, options = read(arguments)
    _check_runs(common.runs)
    from pipeline.stages import Run

    run = Run(recipe, common.runs)
    # Trackio reads it once, when it is imported, so that all stages of a run share one directory.
    os.environ.setdefault("TRACKIO_DIR", str(run.path.absolute() / "trackio"))
    verb.work(common, run, options)


def read(arguments: list[str]) -> tuple[Verb, Common, Recipe, Any]:
    """What a command line asks for, checked; nothing is done about it yet.

    Args:
        arguments: a verb and its settings.

    Returns:
        The verb, what all verbs take, the recipe with what is overridden, and the verb's own options.

    Raises:
        GroundupError: for what a person can mend.
        SystemExit: with code 0, where help was asked for and printed.
    """
    _check_words(arguments)
    name, rest = arguments[0], arguments[1:]
    if name not in VERBS:
        raise GroundupError(name, "no such verb", nearest(name, VERBS))
    common, recipe, options = _settings(name, VERBS[name], rest)
    check(recipe)
    return VERBS[name], common, recipe, options


def _check_words(arguments: list[str]) -> None:
    """Refuse what no path, name or manifest can hold."""
    for number, argument in enumerate(arguments, start=1):
        where = f"argument {number}, {argument!a}"
        if "\0" in argument:
            raise GroundupError(where, "it has a character that is zero", "take it out")
        refuse_surrogates(argument, where)  # bytes that are not UTF-8 come as such


def _check_runs(runs: Path) -> None:
    """Refuse a directory for runs that no directory can be made for."""
    place = next(p for p in (runs.absolute(), *runs.absolute().parents) if os.path.lexists(p))
    if not place.is_dir():
        raise GroundupError(f"--runs {runs}", f"{place} is no directory", "name another place for the runs")


def _help() -> str:
    verbs = "\n".join(f"  {name:10} {verb.help}" for name, verb in VERBS.items())
    return (
        textwrap.dedent("""\
        usage: groundup VERB [--recipe NAME] [--runs DIR] [--SETTING VALUE ...]

        Raw text in, published language model out.

        {verbs}

        groundup VERB --help shows every setting of the recipe and its value.
        """)
        .format(verbs=verbs)
        .rstrip()
    )


def _settings(name: str, verb: Verb, arguments: list[str]) -> tuple[Common, Recipe, Any]:
    """The verb's own options, then the recipe with what the command line overrides."""
    show_help = bool({"-h", "--help"} & set(arguments))
    usual = Common(recipe=verb.usual_recipe)
    common, rest = parse(f"groundup {name}", usual, [a for a in arguments if a not in ("-h", "--help")])
    options = verb.options
    if options != Nothing():
        options, rest = parse(f"groundup {name}", options, rest)
    recipe = with_task(load_recipe(common.recipe), common.task)
    tasks = [verb.usual_task] if verb.usual_task in recipe.tasks else list(recipe.tasks)
    if common.task and common.task not in ALIGNED:
        tasks = chosen_tasks(common, recipe)
    if show_help:
        if verb.short:
            print("short:", ", ".join(f"{short} for {setting}" for short, setting in verb.short.items()))
        if options != Nothing():
            with contextlib.suppress(SystemExit):  # the parser ends by it, and the recipe's settings follow
                parse(f"groundup {name}", options, ["--help"])
        parse(f"groundup {name}", recipe, ["--help"])
    if verb.needs_task and not common.task:
        raise GroundupError(
            name, "no task is named", f"use --task with one of: {', '.join(recipe.tasks)}, all"
        )
    known = [*flags(Common()), *flags(options)]
    recipe = override(f"groundup {name}", recipe, rest, tasks, verb.short, known)
    return common, recipe, options


if __name__ == "__main__":
    sys.exit(main())
