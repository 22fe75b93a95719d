"""Verbs that make something: a plan, a tokenizer, models."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tyro

from pipeline.errors import GroundupError
from pipeline.overrides import differences
from pipeline.processes import say
from pipeline.publish.ahead import Push, aligned, pushing
from pipeline.recipe import Recipe
from pipeline.recipe_files import load_recipe
from pipeline.verbs.common import (
    ADAPTER_SHORT,
    TEXT_SHORT,
    Common,
    Nothing,
    Verb,
    chosen_tasks,
    with_task,
)
from pipeline.verbs.measuring import attack, report

if TYPE_CHECKING:
    from pipeline.stages import Run


@dataclass(frozen=True)
class Comparison:
    """What tokenizer takes beside."""

    compare: tuple[str, ...] | None = None
    """Tokenizers to compare with: paths, Hub names, package:NAME; --compare alone takes SmolLM2's where it is."""


@dataclass(frozen=True)
class Sweep:
    """What sweep takes beside."""

    over: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """A setting to try, once for each: SETTING=A..B, =A..B:log, =A..B:STEP or =ONE,OTHER,…"""
    trials: int = 12
    """How many settings are tried, those of a call before included."""


@dataclass(frozen=True)
class Rates:
    """What rates takes beside."""

    steps: int = 100
    """Steps in which the learning rates rise."""
    lowest: float = 1e-3
    """Where they begin, as a multiple of the recipe's own."""
    highest: float = 100.0
    """Where they end, as a multiple of the recipe's own."""


@dataclass(frozen=True)
class Lineage:
    """What lineage takes beside."""

    rungs: tuple[str, ...] = ()
    """The rungs to train; all of the recipe's where none is named. Finished ones are shown in any case."""


def _plan(common: Common, run: Run, options: Push) -> None:
    from pipeline.plan.planning import print_plan

    print_plan(run, common.task, options.push, options.public)


def _tokenizer(common: Common, run: Run, options: Comparison) -> None:
    from pipeline.report.tokenizers import print_tokenizer_report

    print_tokenizer_report(run, options.compare)


@pushing()
def _pretrain(common: Common, run: Run, _: Push) -> None:
    from pipeline.report.tables import print_metrics

    print_metrics(run.finish("pretrain"))


@pushing()
def _finetune(common: Common, run: Run, _: Push) -> None:
    from pipeline.plan.problems import refuse_wrong_data
    from pipeline.report.tables import print_metrics

    refuse_wrong_data(run, chosen_tasks(common, run.recipe))
    for task in chosen_tasks(common, run.recipe):
        print_metrics(run.finish(run.stage_of(task)))
        _attack_private(run, task)


@pushing(aligned)
def _align(common: Common, run: Run, _: Push) -> None:
    from pipeline.plan.problems import refuse_wrong_data
    from pipeline.report.tables import print_metrics
    from pipeline.stages import method_of

    stages = [stage for stage in run.stages() if method_of(stage)]
    if not stages:
        raise GroundupError(
            f"recipe '{run.recipe.name}'",
            "it has neither preferences nor problems",
            "name pairs of answers with --dpo.data, or problems with --grpo.data",
        )
    refuse_wrong_data(run, [task for task in run.recipe.tasks if task == "chat"])
    for stage in stages:
        print_metrics(run.finish(stage))


@pushing()
def _everything(common: Common, run: Run, options: Push) -> None:
    from pipeline.plan.problems import refuse_wrong_data
    from pipeline.report.tables import print_metrics
    from pipeline.stages import method_of, task_of

    refuse_wrong_data(run, list(run.recipe.tasks))
    for stage in run.stages():
        artifact = run.finish(stage)
        if stage == "pretrain" or method_of(stage) or task_of(stage):
            print_metrics(artifact)
        if task := task_of(stage):
            _attack_private(run, task)
    report(common, run, Nothing())


def _attack_private(run: Run, task: str) -> None:
    """A bound on privacy is never told without what an attack finds in spite of it."""
    if run.recipe.tasks[task].privacy.epsilon:
        attack(run, task)


def _sweep(common: Common, run: Run, options: Sweep) -> None:
    from pipeline.plan.problems import refuse_wrong_data
    from pipeline.sweep.study import sweep

    if common.task:
        refuse_wrong_data(run, chosen_tasks(common, run.recipe))
    sweep(run, common.task, options.over, options.trials, lambda recipe: _command(common, recipe))


def _rates(common: Common, run: Run, options: Rates) -> None:
    from pipeline.sweep.rates import Rise, find_rates

    rise = Rise(options.steps, options.lowest, options.highest)
    find_rates(run, common.task, rise, lambda recipe: _command(common, recipe))


def _lineage(common: Common, run: Run, options: Lineage) -> None:
    from pipeline.lineage.climbing import climb
    from pipeline.lineage.record import PAGE, record
    from pipeline.lineage.results import results
    from pipeline.lineage.rungs import chosen_rungs, run_of
    from pipeline.lineage.steps import steps
    from pipeline.lineage.tables import print_lineage
    from pipeline.plan.problems import refuse_wrong_data

    names, tasks = chosen_rungs(run.recipe, options.rungs), chosen_tasks(common, run.recipe)
    if not all(run_of(run, name).is_finished("pretrain") for name in names):
        refuse_wrong_data(run, tasks)
    climb(run, names, tasks)
    found = results(run, tasks)
    bought = steps(found)
    made = record(run, found, bought)
    print_lineage(found, bought)
    say(f"→ {made.path / PAGE}")


def _command(common: Common, recipe: Recipe) -> str:
    """The command line that trains with these settings."""
    verb = ["finetune", "--task", common.task] if common.task else ["pretrain"]
    where = differences(Common(task=common.task), common)
    declared = with_task(load_recipe(common.recipe), common.task)
    return shlex.join(["groundup", *verb, *where, *differences(declared, recipe)])


_TASK_SHORT = {
    **ADAPTER_SHORT,
    "--data": "--tasks.TASK.data",
    "--eval-data": "--tasks.TASK.eval-data",
    "--text-column": "--tasks.TASK.text-column",
    "--pair-column": "--tasks.TASK.pair-column",
    "--source-column": "--tasks.TASK.text-column",
    "--label-column": "--tasks.TASK.label-column",
    "--target-column": "--tasks.TASK.label-column",
    "--model": "--tasks.TASK.model",
    "--max-tokens": "--tasks.TASK.max-tokens",
}

TRAINING = {
    "plan": Verb(
        "what a run will need, and what would fail late; trains nothing", _plan, TEXT_SHORT, options=Push()
    ),
    "tokenizer": Verb(
        "corpus → tokenizer, and what it makes of the text; --compare sets others beside it",
        _tokenizer,
        TEXT_SHORT,
        options=Comparison(),
    ),
    "pretrain": Verb("corpus → tokenizer → pre-training", _pretrain, TEXT_SHORT, options=Push()),
    "finetune": Verb(
        "fine-tune and measure --task NAME (or all), after whatever is missing",
        _finetune,
        _TASK_SHORT,
        needs_task=True,
        options=Push(),
    ),
    "align": Verb(
        "tune the chat model by preferences (--dpo.data) or checked answers (--grpo.data)",
        _align,
        options=Push(),
    ),
    "rates": Verb("a learning-rate range test of pre-training, or of --task NAME", _rates, options=Rates()),
    "sweep": Verb("try settings, named with --over, and show which are best", _sweep, options=Sweep()),
    "lineage": Verb(
        "a history of language models: trains each rung alike, and tells what each step bought",
        _lineage,
        usual_recipe="lineage",
        options=Lineage(),
    ),
    "run": Verb("everything that the recipe declares, in order", _everything, options=Push()),
}
