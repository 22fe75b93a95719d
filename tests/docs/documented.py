"""Commands of the pages, read by the programs that they call, without running anything."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser

from docs.scripts.pages import ROOT, Code, Command, commands, commands_of, pages
from pipeline.cli import read
from pipeline.recipe_files import load_recipe
from pipeline.verbs import VERBS

PLACEHOLDERS = {"NAME": "sentiment"}
"""Words of running text that stand for another, where a name of a task is meant."""
_COMMENT = re.compile(r"^#+", re.MULTILINE)


def documented() -> Iterator[Command]:
    """Commands of all pages, and of what recipes and launch configurations say at their top."""
    for page in pages():
        yield from commands(page)
    for recipe in sorted((ROOT / "recipes").glob("*.py")):
        said = recipe.read_text("utf-8").split('"""')[1] + "\n"
        yield from commands_of(Code("", "", said, 1), f"recipes/{recipe.name}")
    for launch in sorted((ROOT / "recipes" / "launch").iterdir()):
        comments = [line for line in launch.read_text("utf-8").splitlines() if line.startswith("# ")]
        said = _COMMENT.sub("", "\n".join(comments) + "\n")
        yield from commands_of(Code("", "", said, 1), f"recipes/launch/{launch.name}")


def read_command(command: Command) -> None:
    """Let the program's own parser read the command.

    Raises:
        AssertionError: where a program, a target, a file or a module does not exist.
        GroundupError: where Groundup refuses the verb, a flag or a value.
        SystemExit: where another parser refuses it.
    """
    _READERS[command.program](list(command.words[1:]))


def _groundup(words: list[str]) -> None:
    """As far as to the work; running text may name a verb alone."""
    if words == ["--help"]:
        return
    if len(words) == 1:
        assert words[0] in VERBS or words[0] == "VERB"
        return
    words = [PLACEHOLDERS.get(word, word) for word in words]
    if words[-1] == "--help":
        assert words[0] in VERBS or words[0] == "VERB"
        return
    read(words)


def _make(words: list[str]) -> None:
    """Targets exist; what they would run is read in turn."""
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "--directory", ROOT, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for command in commands_of(Code("", "", done.stdout, 1), "Makefile"):
        if command.program in ("groundup", "python"):
            read_command(command)


def _accelerate(words: list[str]) -> None:
    """Accelerate's parser takes its part, the configuration is one, and what is launched is read."""
    assert words[0] == "launch"
    launch = launch_command_parser().parse_args(words[1:])
    assert load_config_from_file(str(ROOT / launch.config_file))
    assert launch.module and launch.training_script == "pipeline"
    _groundup(launch.training_script_args)


def _sbatch(words: list[str]) -> None:
    """There is no Slurm here: the script is there, and what it is given is a recipe."""
    script = next(place for place, word in enumerate(words) if word.endswith(".sh"))
    assert (ROOT / words[script]).is_file()
    assert all(
        word.startswith("--") or words[i - 1].startswith("--") for i, word in enumerate(words[:script])
    )
    (recipe,) = words[script + 1 :]
    load_recipe(recipe)


def _python(words: list[str]) -> None:
    """A module that is here, or a file of the reader's own."""
    if words[0] == "-m":
        if words[1] == "pipeline":
            _groundup(words[2:])
        elif words[1] not in ("pip", "venv", "pytest"):
            assert importlib.util.find_spec(words[1]) is not None, words[1]
    else:
        assert words[0].endswith(".py") or words[0] == "-c"


def _pip(words: list[str]) -> None:
    """Extras that are installed exist."""
    assert words[0] == "install"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for word in words[1:]:
        named = re.fullmatch(r"(?:groundup|\.)\[(\w+(?:,\w+)*)\]", word)
        assert named is None or set(named[1].split(",")) <= set(extras), word


def _installed(name: str) -> Callable[[list[str]], None]:
    def reader(words: list[str]) -> None:
        assert Path(sys.executable).with_name(name).is_file(), f"{name} is not installed"

    return reader


def _shell(words: list[str]) -> None:
    """The shell's own: nothing of ours to read."""


_READERS: dict[str, Callable[[list[str]], None]] = {
    "groundup": _groundup,
    "make": _make,
    "accelerate": _accelerate,
    "sbatch": _sbatch,
    "python": _python,
    "pip": _pip,
    **{name: _installed(name) for name in ("hf", "tensorboard", "trackio")},
    **dict.fromkeys(
        ("head", "tail", "cat", "mkdir", "cp", "echo", "printf", "grep", "source", "git", "cd"), _shell
    ),
}
