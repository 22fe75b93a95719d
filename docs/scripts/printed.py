"""Follow a tutorial step by step, and write what its commands print between the marks that stand after them.

python -m docs.scripts.printed docs/tutorials/own-data.md runs/tutorials

Fenced code with a file's name is written to that file; fenced ``sh`` is run; what stands between ``<!-- printed -->``
and ``<!-- /printed -->`` becomes what the code before it said, without the lines of progress.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from docs.scripts.pages import ROOT, STEPS, parsed
from pipeline.artifacts import write_text
from pipeline.provenance import describe_hardware, hardware

_BEGIN, _END = "<!-- printed -->", "<!-- /printed -->"
_MARKED = re.compile(f"{_BEGIN}.*?{_END}", re.DOTALL)
_WHERE = re.compile(r"<!-- printed on -->.*?<!-- /printed on -->", re.DOTALL)
_PROGRESS = re.compile(r" step \d+/\d+ · .* left$")


def follow(page: Path, directory: Path) -> list[str]:
    """Do what the page says, in a directory.

    Args:
        page: a tutorial.
        directory: takes the place of the repository's root; made if it is missing.

    Returns:
        What was printed, for each pair of marks.

    Raises:
        SystemExit: where a step fails.
    """
    _prepare(directory)
    said, printed = "", []
    for token in parsed(page):
        if token.type == "fence":
            language, _, file = token.info.strip().partition(" ")
            if file:
                (directory / file).write_text(token.content, "utf-8")
            elif language == STEPS:
                said = _run(token.content, directory)
        elif token.type == "html_block" and token.content.startswith(_BEGIN):
            printed.append(said)
    return printed


def filled(text: str, printed: list[str], minutes: float) -> str:
    """A page's text with what was printed, and where.

    Raises:
        ValueError: where the page has another number of marks.
    """
    parts = _MARKED.split(text)
    blocks = [f"{_BEGIN}\n```text\n{_kept(said)}\n```\n{_END}" for said in printed]
    whole = "".join(part for pair in zip(parts, [*blocks, ""], strict=True) for part in pair)
    took = f"{minutes:.0f} minutes" if minutes >= 1.5 else "about a minute at most"
    where = f"Printed on {describe_hardware(hardware())}; all steps took {took}."
    return _WHERE.sub(f"<!-- printed on -->\n{where}\n<!-- /printed on -->", whole)


def _prepare(directory: Path) -> None:
    """Links to what a person has at the repository's root."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, there in {"recipes": ROOT / "recipes", ".venv": Path(sys.prefix)}.items():
        if not (directory / name).exists():
            (directory / name).symlink_to(there)


def _run(steps: str, directory: Path) -> str:
    """What steps say, by a shell in which the environment is active; bars and warnings of libraries go elsewhere."""
    programs = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    print(steps, flush=True)
    done = subprocess.run(
        ["/bin/bash", "-euc", steps],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    print(done.stdout, flush=True)
    if done.returncode:
        sys.exit(f"exit code {done.returncode}")
    return done.stdout


def _kept(said: str) -> str:
    """Without lines of progress, and without blanks and empty lines at ends."""
    kept = [line.rstrip() for line in said.splitlines() if not _PROGRESS.search(line)]
    return "\n".join(kept).strip("\n")


def main(page: Path, directory: Path) -> None:
    """Follow a page, and write what was printed into it as it is by then."""
    began = time.monotonic()
    printed = follow(page, directory.absolute())
    write_text(page, filled(page.read_text("utf-8"), printed, (time.monotonic() - began) / 60))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
