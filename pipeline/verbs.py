"""The words of the command line: what each takes and does. What is heavy is imported by the verb's function."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from pipeline.errors import GroundupError, nearest
from pipeline.overrides import differences
from pipeline.publish.ahead import Push, aligned, pushing
from pipeline.recipe import ALIGNED, Finetune, Recipe
from pipeline.recipe_files import load_recipe

if TYPE_CHECKING:
    from pipeline.stages import Run


@dataclass(frozen=True)
class Common:
    """What every verb takes."""

    recipe: str = "quickstart"
    """Name of a recipe in recipes/, or the path of one of your own."""
    runs: Path = Path("runs")
    """Directory for run directories."""
    task: str = ""
    """A task of the recipe; all means every one. Where a finished model is named, dpo and grpo too."""


@dataclass(frozen=True)
class Publish:
    """What publish takes beside."""

    repo: str = ""
    """Repository on the Hub, as user/name."""
    public: bool = False
    """Let everybody read it; without this a new repository is private, and one that is public is refused."""
    dry_run: bool = False
    """Show the card and every file that would be pushed, without a network."""


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
class Compare:
    """What compare takes beside."""

    directories: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Two directories of runs, such as runs/quickstart and runs/other."""


@dataclass(frozen=True)
class Harness:
    """What harness takes beside."""

    suite: tuple[str, ...] = ()
    """Directories of lm-eval's YAML files, and names of tasks; without any, the package's own tasks."""
    limit: int = 0
    """The first so many examples of each task; 0 takes all."""


@dataclass(frozen=True)
class Translate:
    """What translate takes beside."""

    po: Path = Path()
    """The gettext catalogue."""
    out: Path | None = None
    """Where the translated one goes; without it beside the catalogue, as fr.translated.po."""
    into: str = ""
    """The language, where the model has learnt both directions; without it, that of the catalogue's header."""
    fuzzy: bool = False
    """Translate anew what is marked as fuzzy."""
    overwrite: bool = False
    """Replace a file that is there, the catalogue itself if --out names it."""


@dataclass(frozen=True)
class Nothing:
    """A verb without settings of its own."""


@dataclass(frozen=True)
class Verb:
    """One word of the command line."""

    help: str
    work: Callable[[Common, Run, Any], None]
    short: dict[str, str] = dataclasses.field(default_factory=dict)
    """Short flags and the settings they stand for; TASK stands for the chosen task."""
    needs_task: bool = False
    options: Any = Nothing()
    """What it takes beside, with its defaults."""


def _plan(common: Common, run: Run, _: Nothing) -> None:
    from pipeline.plan import print_plan

    print_plan(run)


def _tokenizer(common: Common, run: Run, options: Comparison) -> None:
    from pipeline.report.tokenizers import print_tokenizer_report

    print_tokenizer_report(run, options.compare)


@pushing()
def _pretrain(common: Common, run: Run, _: Push) -> None:
    from pipeline.report.tables import print_metrics

    print_metrics(run.finish("pretrain"))


@pushing()
def _finetune(common: Common, run: Run, _: Push) -> None:
    from pipeline.plan import refuse_wrong_data
    from pipeline.report.tables import print_metrics

    refuse_wrong_data(run, chosen_tasks(common, run.recipe))
    for task in chosen_tasks(common, run.recipe):
        print_metrics(run.finish(run.stage_of(task)))
        if run.recipe.tasks[task].privacy.epsilon:
            _attack(run, task)


@pushing(aligned)
def _align(common: Common, run: Run, _: Push) -> None:
    from pipeline.plan import refuse_wrong_data
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
    from pipeline.plan import refuse_wrong_data
    from pipeline.report.tables import print_metrics
    from pipeline.stages import method_of, task_of

    refuse_wrong_data(run, list(run.recipe.tasks))
    for stage in run.stages():
        artifact = run.finish(stage)
        if stage == "pretrain" or method_of(stage) or task_of(stage):
            print_metrics(artifact)
        if (task := task_of(stage)) and run.recipe.tasks[task].privacy.epsilon:
            _attack(run, task)
    _report(common, run, Nothing())


def _sweep(common: Common, run: Run, options: Sweep) -> None:
    from pipeline.plan import refuse_wrong_data
    from pipeline.sweep.study import sweep

    if common.task:
        refuse_wrong_data(run, chosen_tasks(common, run.recipe))
    sweep(run, common.task, options.over, options.trials, lambda recipe: _command(common, recipe))


def _rates(common: Common, run: Run, options: Rates) -> None:
    from pipeline.sweep.rates import Rise, find_rates

    rise = Rise(options.steps, options.lowest, options.highest)
    find_rates(run, common.task, rise, lambda recipe: _command(common, recipe))


def _command(common: Common, recipe: Recipe) -> str:
    """The command line that trains with these settings."""
    verb = ["finetune", "--task", common.task] if common.task else ["pretrain"]
    where = differences(Common(task=common.task), common)
    declared = with_task(load_recipe(common.recipe), common.task)
    return shlex.join(["groundup", *verb, *where, *differences(declared, recipe)])


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
        _attack(run, task)


def _attack(run: Run, task: str) -> None:
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


def _report(common: Common, run: Run, _: Nothing) -> None:
    from pipeline.report.page import write_report

    write_report(run)


def _chat(common: Common, run: Run, _: Nothing) -> None:
    from pipeline.inference.chat import chat

    chat(run, common.task)


def _merge(common: Common, run: Run, _: Nothing) -> None:
    from pipeline.inference.merge import merge

    for task in chosen_tasks(common, run.recipe):
        merge(run, task)


def _translate(common: Common, run: Run, options: Translate) -> None:
    from pipeline.inference.translate import Wish, translate_catalogue

    if options.po == Path():
        raise GroundupError("translate", "no catalogue is named", "use --po FILE")
    wish = Wish(options.po, options.out, options.into, options.fuzzy, options.overwrite)
    translate_catalogue(run, common.task or "translation", wish)


def _publish(common: Common, run: Run, options: Publish) -> None:
    from pipeline.publish.hub import publish

    publish(run, common.task, options.repo, options.public, options.dry_run)


def with_task(recipe: Recipe, name: str) -> Recipe:
    """A recipe with a task that it does not declare, in the settings that tasks have when nothing is said."""
    if not name or name == "all" or name in recipe.tasks:
        return recipe
    from pipeline.tasks import TASKS

    if name not in TASKS:
        return recipe
    return dataclasses.replace(recipe, tasks={**recipe.tasks, name: Finetune(learning_rate="auto")})


def chosen_tasks(common: Common, recipe: Recipe) -> list[str]:
    """The task that was named, or all.

    Raises:
        GroundupError: where the recipe has no such task.
    """
    if common.task == "all" or not common.task:
        return list(recipe.tasks)
    if common.task not in recipe.tasks:
        raise GroundupError(
            f"task '{common.task}'",
            f"the recipe '{recipe.name}' has no such task",
            nearest(common.task, [*recipe.tasks, "all"]),
        )
    return [common.task]


_ADAPTER_SHORT = {"--adapter": "--tasks.TASK.adapter.name"}
_TASK_SHORT = {
    **_ADAPTER_SHORT,
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
_TEXT_SHORT = {
    "--data": "--corpus.sources",
    "--text-column": "--corpus.text-column",
    "--model": "--model.start",
}

VERBS = {
    "plan": Verb("what a run will need, and what would fail late; trains nothing", _plan, _TEXT_SHORT),
    "tokenizer": Verb(
        "corpus → tokenizer, and what it makes of the text; --compare sets others beside it",
        _tokenizer,
        _TEXT_SHORT,
        options=Comparison(),
    ),
    "pretrain": Verb("corpus → tokenizer → pre-training", _pretrain, _TEXT_SHORT, options=Push()),
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
    "run": Verb("everything that the recipe declares, in order", _everything, options=Push()),
    "evaluate": Verb("measure what there is, again, and print every table", _evaluate, _ADAPTER_SHORT),
    "harness": Verb(
        "measure a finished model by lm-eval: the pre-trained one, or that of --task NAME",
        _harness,
        _ADAPTER_SHORT,
        options=Harness(),
    ),
    "membership": Verb(
        "attack the model of --task NAME: does it tell which examples it was trained on",
        _membership,
        _ADAPTER_SHORT,
        needs_task=True,
    ),
    "compare": Verb(
        "two runs by their tasks, and whether chance made the difference", _compare, options=Compare()
    ),
    "report": Verb("write one page about the run", _report),
    "chat": Verb("talk to a model in the terminal", _chat, _ADAPTER_SHORT),
    "translate": Verb(
        "fill in a gettext catalogue, --po FILE, by the model of translation", _translate, options=Translate()
    ),
    "merge": Verb(
        "make a stock model of --task NAME's --adapter NAME", _merge, _ADAPTER_SHORT, needs_task=True
    ),
    "publish": Verb("write a model card and push to the Hub", _publish, _ADAPTER_SHORT, options=Publish()),
}
