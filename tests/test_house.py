"""The plan of the house (docs/architecture.md): imports point down, and nothing but its room knows a task."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import ROOT

FLOORS = [
    ["redaction"],
    ["errors", "provenance", "startup"],
    ["settings", "processes", "artifacts", "apart"],
    ["hub"],
    ["recipe", "sources", "overrides"],
    ["model", "executors", "recipe_files"],
    ["checks", "evaluate", "launch"],
    ["corpus", "tokenizer", "tasks"],
    ["train", "explain"],
    ["stages"],
    ["report", "inference", "twins"],
    ["publish", "sweep", "export", "lineage"],
    ["plan"],
    ["demo"],
    ["verbs"],
    ["cli"],
    ["__main__"],
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted((ROOT / "pipeline").rglob("*.py"))


def _imports(file: Path) -> Iterator[str]:
    """Modules of the package that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline."):
            yield str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("pipeline."))


def _room(file: Path) -> str:
    return file.relative_to(ROOT / "pipeline").parts[0].removesuffix(".py")


def test_every_room_has_a_floor() -> None:
    assert {_room(file) for file in FILES} - {"__init__"} == set(FLOOR)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_down(file: Path) -> None:
    for module in _imports(file):
        room = module.split(".")[1]
        assert room == _room(file) or FLOOR[room] < FLOOR[_room(file)], f"{file} imports {module}"


def test_only_the_tasks_know_a_task() -> None:
    tasks = {f"pipeline.tasks.{file.stem}" for file in (ROOT / "pipeline" / "tasks").glob("*.py")}
    outside = [file for file in FILES if _room(file) != "tasks"]
    known = {(file.name, module) for file in outside for module in _imports(file) if module in tasks}
    assert {module for _, module in known} <= {"pipeline.tasks.base"}
