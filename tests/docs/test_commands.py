"""Every command of the pages is read by the program that it calls, every link leads somewhere, every table is whole.

Read, and not run: Groundup's own command line takes verbs, flags and values and checks the recipe; ``make`` knows the
target, and what it would run is read in turn; Accelerate's parser takes the launch. What they would do needs data of
the reader's own, a network, GPUs, a cluster or hours. Steps of the tutorials are run too: ``test_tutorials.py``.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.scripts.pages import ROOT, TUTORIALS, Command, anchors, codes, links, pages, parsed
from pipeline.errors import GroundupError
from pipeline.tasks import TASKS
from tests.docs.documented import documented, read_command

COMMANDS = list({str(command): command for command in documented()}.values())
LINKS = [(page, address, line) for page in pages() for address, line in links(page)]
_BAR = re.compile(r"(?<!\\)\|")
PATH = re.compile(
    r"(?:docs|pipeline|recipes|tests|benchmarks)/[\w./-]*\w|(?:Makefile|pyproject\.toml|constraints\.txt)"
)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with a recipe of the reader's own, under the name that pages give it, and those of the tutorials."""
    shutil.copy(ROOT / "recipes" / "quickstart.py", tmp_path / "my.py")
    for code in itertools.chain.from_iterable(map(codes, TUTORIALS.glob("*.md"))):
        if code.file:
            (tmp_path / code.file).write_text(code.text, "utf-8")
    monkeypatch.chdir(tmp_path)
    known = dict(TASKS)
    yield tmp_path
    TASKS.clear()  # a recipe of a tutorial has a task of its own
    TASKS.update(known)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.place} {command}"[:100])
def test_the_program_takes_the_command(command: Command, desk: Path) -> None:
    read_command(command)


def test_pages_have_commands_of_every_kind() -> None:
    said = {command.program for command in COMMANDS}
    assert {"groundup", "make", "accelerate", "sbatch", "python", "pip"} <= said and len(COMMANDS) > 100


@pytest.mark.parametrize(
    "words",
    [
        ("groundup", "finetune", "--task", "sentiment", "--lable-column", "stars"),
        ("groundup", "pretrain", "--model.depth", "huge"),
        ("make", "finetune", "TASK=sentimnet"),
        ("make", "pretrian"),
        ("accelerate", "launch", "--config_file", "recipes/launch/ddp.yaml", "-m", "pipeline", "pretrian"),
        ("sbatch", "--nodes", "4", "recipes/launch/slurm.sh", "base_2b"),
        ("python", "-m", "benchmarks.absent"),
        ("pip", "install", "groundup[absent]"),
    ],
)
def test_a_wrong_command_is_found(words: tuple[str, ...], desk: Path) -> None:
    with pytest.raises((AssertionError, GroundupError)):
        read_command(Command(words, "here"))


@pytest.mark.parametrize(("page", "address", "line"), LINKS, ids=lambda value: str(value)[-60:])
def test_a_link_leads_to_a_file_and_a_heading(page: Path, address: str, line: int) -> None:
    file, _, anchor = address.partition("#")
    if file.startswith(("http://", "https://")):
        return  # there is no network in tests
    there = page.parent / file if file else page
    assert there.exists(), f"{page.name}:{line}: {address}"
    assert not anchor or anchor in anchors(there), f"{page.name}:{line}: {address}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page: Path) -> None:
    for code in codes(page):
        for name in PATH.findall(code.text) if not code.is_block else ():
            if code.text.startswith(name):
                assert (ROOT / name).exists(), f"{page.name}:{code.line}: {name}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_rows_of_a_table_have_as_many_cells_as_its_head(page: Path) -> None:
    lines = page.read_text("utf-8").splitlines()
    for token in parsed(page):
        if token.type == "table_open":
            assert token.map is not None
            first, last = token.map
            cells = [len(_BAR.findall(line.strip().strip("|"))) for line in lines[first:last]]
            assert len(set(cells)) == 1, f"{page.name}:{first + 1}: {cells}"
