"""Verbs that look at what is finished: measure it again, attack it, compare it, show it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from pipeline.errors import GroundupError
from pipeline.recipe import ALIGNED
from pipeline.verbs.common import ADAPTER_SHORT, Common, Nothing, Verb, chosen_tasks

if TYPE_CHECKING:
    from pipeline.stages import Run


@dataclass(frozen=True)
class Harness:
    """What harness takes beside."""

    suite: tuple[str, ...] = ()
    """Directories of lm-eval's YAML files, and names of tasks; without any, the package's own tasks."""
    limit: int = 0
    """The first so many examples of each task; 0 takes all."""


@dataclass(frozen=True)
class Compare:
    """What compare takes beside."""

    directories: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Two directories of runs, such as runs/quickstart and runs/other."""


@dataclass(frozen=True)
class Report:
    """What report takes beside."""

    directories: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Directories of two runs or more, to compare them; without any, the page is about the recipe's run."""
    out: Path | None = None
    """File of the page that compares runs; comparison/index.html in the directory of runs unless it is set."""


def _evaluate(common: Common, run: Run, _: Nothing) -> None:
    from pipeline.inference.measure import measure_run

    named = [common.task] if common.task in ALIGNED else chosen_tasks(common, run.recipe)
    measure_run(run, named if common.task else [])


def _harness(common: Common, run: Run, options: Harness) -> None:
    from pipeline.inference.harness import measurable, measure_outside
    from pipeline.report.yardsticks import print_yardsticks

    named = measurable(run, list(run.recipe.tasks)) if common.task == "all" else [common.task]
    for task in named:
        print_yardsticks(measure_outside(run, task, options.suite, options.limit))


def _membership(common: Common, run: Run, _: Nothing) -> None:
    for task in chosen_tasks(common, run.recipe):
        attack(run, task)


def attack(run: Run, task: str) -> None:
    """Measure membership inference on a task's model, and print it."""
    from pipeline.inference.membership import measure_membership
    from pipeline.report.membership import print_membership

    print_membership(measure_membership(run, task))


def _compare(common: Common, run: Run, options: Compare) -> None:
    from pipeline.report.compare import compare_runs
    from pipeline.report.tables import print_compared

    if len(options.directories) != 2:
        raise GroundupError(
            "compare", f"it takes two runs, not {len(options.directories)}", "name two directories of runs"
        )
    tasks = [common.task] if common.task not in ("", "all") else []
    print_compared(compare_runs(*options.directories, tasks))


def report(common: Common, run: Run, options: Report | Nothing) -> None:
    """Write the page of a run, or one about several."""
    from pipeline.report.comparison import write_comparison
    from pipeline.report.page import write_report

    if isinstance(options, Report) and options.directories:
        write_comparison(options.directories, options.out or common.runs / "comparison" / "index.html")
    else:
        write_report(run)


MEASURING = {
    "evaluate": Verb("measure what there is, again, and print every table", _evaluate, ADAPTER_SHORT),
    "harness": Verb(
        "measure a finished model by lm-eval: the pre-trained one, or that of --task NAME",
        _harness,
        ADAPTER_SHORT,
        options=Harness(),
    ),
    "membership": Verb(
        "attack the model of --task NAME: does it tell which examples it was trained on",
        _membership,
        ADAPTER_SHORT,
        needs_task=True,
    ),
    "compare": Verb(
        "two runs by their tasks, and whether chance made the difference", _compare, options=Compare()
    ),
    "report": Verb("write one page about the run, or one that compares several", report, options=Report()),
}
