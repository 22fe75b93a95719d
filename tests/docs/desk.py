"""A person's directory, in which the steps of a tutorial are done as it says, with settings that make them small."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from docs.scripts.pages import ROOT, STEPS, TUTORIALS, Code, codes, commands_of, sides
from tests.forked import Desk, forked

_LAUNCH = ("accelerate", "launch", "--config_file", "recipes/launch/ddp_cpu.yaml", "-m", "pipeline")
"""Starts two processes; here they are forked, as tests/forked.py does it."""


@dataclass(frozen=True)
class Reader:
    """Follows a tutorial.

    Args:
        directory: what is done is done there; it has recipes/, as the repository's root does.
        smaller: settings that are added to a command of Groundup, by its verb.
    """

    directory: Path
    smaller: Mapping[str, Sequence[str | Path]]

    def follow(self, tutorial: str) -> str:
        """Write the page's files, do its steps, and give all that was said.

        Raises:
            AssertionError: where a step fails.
        """
        self.write_files(tutorial)
        blocks = [code.text for code in codes(TUTORIALS / f"{tutorial}.md") if code.language == STEPS]
        lines = [line for text in blocks for line in text.replace("\\\n", " ").splitlines()]
        return "\n".join(map(self.line, lines))

    def write_files(self, tutorial: str) -> None:
        """The files that the page shows, under their names."""
        if not (self.directory / "recipes").exists():
            (self.directory / "recipes").symlink_to(ROOT / "recipes")
        for code in codes(TUTORIALS / f"{tutorial}.md"):
            if code.file:
                (self.directory / code.file).write_text(code.text, "utf-8")

    def line(self, line: str) -> str:
        """A line of the shell: what comes before Groundup, Groundup itself, and what reads what it says.

        Raises:
            AssertionError: where a program of it fails.
        """
        said = ""
        for part in sides(line):
            found = next(commands_of(Code("", "", part + "\n", 1), ""), None)
            words = found.words if found else ()
            if words[:1] == ("groundup",):
                said = self._groundup(words[1:], 1, said)
            elif words[: len(_LAUNCH)] == _LAUNCH:
                said = self._groundup(words[len(_LAUNCH) :], 2, said)
            else:
                said = self._shell(part, said)
        return said

    def _groundup(self, words: Sequence[str], processes: int, typed: str) -> str:
        arguments = [*words, *self.smaller[words[0]]]
        with tempfile.TemporaryDirectory() as said:
            desk = Desk(self.directory, typed)
            done = forked(Path(said), "pipeline", *arguments, processes=processes, desk=desk).ended()
        assert done.returncode == 0, f"{shlex.join(map(str, arguments))}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _shell(self, part: str, typed: str) -> str:
        programs = str(Path(sys.executable).parent)
        done = subprocess.run(
            ["bash", "-euc", part],
            cwd=self.directory,
            env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"},
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{part}\n{done.stderr}"
        return done.stdout
