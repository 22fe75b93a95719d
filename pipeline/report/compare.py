"""Two runs beside each other: the same tasks on the same held-out examples, and whether chance made the difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifacts import PREDICTIONS, Artifact, read_json_lines
from pipeline.errors import GroundupError
from pipeline.evaluate.statistics import draw
from pipeline.recipe import Finetune
from pipeline.settings import from_settings
from pipeline.tasks import TASKS, task_named
from pipeline.tasks.base import Example
from pipeline.train.judging import alike


@dataclass(frozen=True)
class Compared:
    """A task of two runs, by its main metric."""

    task: str
    metric: str
    scores: tuple[float, float]
    low: float
    high: float
    p: float
    examples: int

    @property
    def verdict(self) -> str:
        """Which run is better, if chance does not explain it."""
        return self.told("the first", "the second")

    def told(self, first: str, second: str) -> str:
        """The same with what the runs are called."""
        if self.low <= 0 <= self.high:
            return "no difference beyond chance"
        _, lower = TASKS[self.task].judged_by({self.metric})
        return f"{second if (self.low > 0) != lower else first} is better"


def compare_runs(first: Path, second: Path, tasks: Sequence[str] = ()) -> list[Compared]:
    """Compare every task that both runs have finished, or the named ones.

    Differences are those of the second run to the first, on the same bootstrap samples (Koehn, 2004).

    Args:
        first: directory of a run.
        second: directory of another.
        tasks: names; all that both have when empty.

    Raises:
        GroundupError: when a run or a task is not there, or was measured on other examples.
    """
    both = [_finished(run) for run in (first, second)]
    shared = [name for name in both[0] if name in both[1]]
    for name in tasks:
        for run, finished in zip((first, second), both, strict=True):
            if name not in finished:
                raise GroundupError(
                    str(run), f"it has no finished task '{name}'", f"make finetune TASK={name}"
                )
    if not shared:
        raise GroundupError(
            f"{first} and {second}", "they share no finished task", "fine-tune both for one first"
        )
    return [compared(name, both[0][name], both[1][name]) for name in tasks or shared]


def _finished(run: Path) -> dict[str, Artifact]:
    if not run.is_dir():
        raise GroundupError(
            str(run), "there is no such directory", "name the directory of a run, such as runs/quickstart"
        )
    found = {path.name: Artifact(path) for path in sorted((run / "finetune").glob("*"))}
    return {
        n: artifact for n, artifact in found.items() if n in TASKS and artifact.manifest().get("complete")
    }


def compared(name: str, first: Artifact, second: Artifact, metric: str = "") -> Compared:
    """Compare one task of two runs.

    Args:
        name: of the task.
        first: the finished stage of one run.
        second: that of the other.
        metric: that they are compared by; empty takes the task's main one.

    Raises:
        GroundupError: when they were measured on other examples.
    """
    settings = first.manifest()["settings"]
    task = task_named(name, from_settings(Finetune, settings["finetune"]))
    metric = metric or task.main_metric
    rows = [_by_place(artifact) for artifact in (first, second)]
    if rows[0].keys() != rows[1].keys():
        there = len(rows[0].keys() & rows[1].keys())
        raise GroundupError(
            f"{first.path} and {second.path}",
            f"they were measured on other examples ({len(rows[0])} and {len(rows[1])}, of which both have {there})",
            "use runs with the same data, seed and held-out share",
        )
    examples = [_example(row) for row in rows[0].values()]
    statistics = {
        str(number): task.statistics(examples, [by_place[place] for place in rows[0]])
        for number, by_place in enumerate(rows)
    }
    found = draw(statistics, alike(task, examples), settings["seed"]).difference("1", "0", metric)
    one, other = (statistics[number].score()[metric] for number in ("0", "1"))
    return Compared(name, metric, (one, other), found.low, found.high, found.p, len(examples))


def _by_place(artifact: Artifact) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Examples with their predictions; several may have one place."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    seen: Counter[tuple[Any, ...]] = Counter()
    for row in read_json_lines(artifact.path / PREDICTIONS):
        key = row.get("place"), row.get("group")
        found[(*key, seen[key])] = row
        seen[key] += 1
    return found


def _example(row: Mapping[str, Any]) -> Example:
    return Example(row, str(row["place"]), str(row.get("group", row["place"])))
