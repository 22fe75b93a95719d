"""What lm-eval is to measure: our own tasks, those of a person's directories, and the ones it brings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2
from lm_eval.tasks import TaskManager

from pipeline.errors import GroundupError, first_line
from pipeline.inference.yardsticks import YARDSTICKS, write_yardsticks
from pipeline.processes import say

_UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    ImportError,
    AttributeError,
    RuntimeError,
    jinja2.TemplateError,
)
"""What reading a task of others may end in: its file, its functions, its data, the Hub."""


def load_suites(suites: Sequence[str], own: Path, share: float, seed: int) -> tuple[list[Any], TaskManager]:
    """lm-eval's ``Task`` and ``Group`` objects, with their data read, and who knows their files.

    Args:
        suites: names of tasks and directories of YAML files; none means our own tasks.
        own: where the rows of our own are written.
        share, seed: by which the run's data were held out.

    Raises:
        GroundupError: for a name that is no task, and for a task that cannot be read.
    """
    directories = [spec for spec in suites if Path(spec).is_dir()]
    named = [spec for spec in suites if spec not in directories]
    mine = [name for name in named if name in YARDSTICKS]
    if mine or not suites:
        mine = write_yardsticks(mine, own, share, seed)
    paths = [*([str(own)] if mine else []), *directories]
    manager = TaskManager(include_path=paths, include_defaults=False)
    wanted = [*mine, *(name for name in named if name not in mine)]
    wanted += [name for directory in directories for name in _names_in(directory)]
    if manager.all_groups or not set(wanted) <= set(manager.all_tasks):  # 14,000 files, which take seconds
        manager = TaskManager(include_path=paths)
    return [task for name in dict.fromkeys(wanted) for task in _loaded(manager, name)], manager


def _names_in(directory: str) -> list[str]:
    """Tasks of a directory, but for those that a group of it has, and the groups."""
    manager = TaskManager(include_path=directory, include_defaults=False)
    found = manager.task_index
    if not found:
        raise GroundupError(
            directory, "no YAML file in it defines a task of lm-eval", "see docs/measuring.md for one"
        )
    known = {entry.yaml_path for entry in found.values()}
    for file in sorted(Path(directory).resolve().rglob("*.yaml")):
        if file not in {path.resolve() for path in known if path}:
            say(f"{file} defines no task of its own")
    grouped = {name for group in manager.all_groups for name in _members(found[group].cfg)}
    return [name for name in [*manager.all_groups, *manager.all_subtasks] if name not in grouped]


def _members(config: Any) -> Iterator[str]:
    for entry in config.get("task") or ():
        yield entry if isinstance(entry, str) else str(entry.get("task") or entry.get("group"))


def _loaded(manager: TaskManager, name: str) -> list[Any]:
    if name not in manager.all_tasks:
        raise GroundupError(
            f"--suite {name}",
            "there is neither such a directory nor such a task",
            f"name a directory of lm-eval's YAML files, {', '.join(YARDSTICKS)}, or one that `lm-eval ls tasks` lists",
        )
    try:
        found = manager.load([name])
    except _UNREADABLE as error:
        raise GroundupError(
            f"--suite {name}",
            f"lm-eval cannot read this task or its data ({type(error).__name__}: {first_line(error)[:200]})",
            "mend its file, or check the network where its data are the Hub's",
        ) from error
    return [found["groups"][name]] if name in found.get("groups", {}) else list(found["tasks"].values())
