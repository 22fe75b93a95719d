"""What a run will need, and what would fail late; trains nothing."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from pipeline.errors import GroundupError
from pipeline.launch import check_launch
from pipeline.model.cost import measured_flops_per_second
from pipeline.model.dial import position
from pipeline.model.machine import takes_bfloat16
from pipeline.model.peak import H100
from pipeline.model.published import load_config
from pipeline.model.scaling import followed
from pipeline.model.vocabulary import vocabulary_size
from pipeline.needs import Need, needs_of
from pipeline.processes import is_main
from pipeline.provenance import describe_hardware, hardware
from pipeline.recipe import Corpus, Finetune, Recipe
from pipeline.report.tables import drawn, print_table
from pipeline.sources import Row, read_all
from pipeline.sources.columns import text_column
from pipeline.sources.tolerance import tolerated
from pipeline.stages import Run, Stage
from pipeline.tasks import task_named
from pipeline.tokenizer.report import embedding_cost
from pipeline.train.align.dpo import read_pairs
from pipeline.train.align.problems import read_problems
from pipeline.train.arguments import micro_batch
from pipeline.train.data.examples import read_examples
from pipeline.train.data.reading import Reading, read_apart

_UTILISATION = 0.4
"""Share of the measured matrix speed that training is taken to reach."""
_BYTES_A_CHARACTER = 2.5
"""Disk of the corpus and tokenizer stages while they work: raw and clean text and signatures, then token shards."""
_ROWS = 200
"""Rows of each source of the corpus that are looked at; the tasks' data are read whole."""


def print_plan(run: Run) -> None:
    """Print the state of every stage, what each will need, and all that would fail late.

    Raises:
        GroundupError: when something would fail, after everything is printed.
    """
    if not is_main():
        return
    recipe = run.recipe
    problems = list(_problems(recipe))
    readings = _readings(recipe, problems)
    rate = measured_flops_per_second(takes_bfloat16(recipe.pretrain.precision))
    print(f"recipe {recipe.name}, in {run.path}")
    print(f"{describe_hardware(hardware())}: {rate / 1e9:,.0f} GFLOP/s in matrix products, measured now")
    print_table(
        drawn(["stage", "state", "from"], [_described(run, s) for s in run.stages().values()], words=3)
    )
    if recipe.pretrain.steps and not recipe.model.start:
        _print_size(recipe)
    try:
        needs = list(needs_of(recipe, readings))
    except GroundupError:  # a published start that cannot be read: it is among the problems
        needs = []
    if needs:
        _print_needs(needs, rate)
        problems += _shortages(run, needs)
    for problem in problems:
        print(f"✗ {problem}")
    if problems:
        raise GroundupError(
            f"recipe '{recipe.name}'", f"{len(problems)} would fail", "mend what is marked with ✗ above"
        )
    print("✓ sources, columns, lengths, batches, memory and disk are in order")


def _readings(recipe: Recipe, problems: list[str]) -> dict[str, Reading]:
    """What the tasks' data take; what is wrong with them is added to the problems."""
    readings = {}
    for task, settings in recipe.tasks.items():
        if settings.data:
            try:
                readings[task] = read_apart(task, settings, recipe.held_out, recipe.seed)
            except GroundupError as error:
                problems.append(str(error))
    return readings


def refuse_wrong_data(run: Run, tasks: Sequence[str]) -> None:
    """Read the whole data of tasks that wait for pre-training: what is wrong with them should not come after it.

    Raises:
        GroundupError: for the first mistake, naming its place and what to do.
    """
    if is_main() and not run.is_finished("pretrain"):
        for task in tasks:
            settings = run.recipe.tasks[task]
            if not settings.model:
                _check_task(task, settings, run.recipe.model.context)
                read_examples(task_named(task, settings), run.recipe.held_out, run.recipe.seed)


def _described(run: Run, stage: Stage) -> list[str]:
    artifact = run.artifact(stage.name)
    state = "to do"
    if run.is_finished(stage.name):
        state = "done"
    elif artifact.fingerprint() == run.fingerprint(stage):
        state = "goes on"
    elif artifact.fingerprint():
        state = "made anew: a setting or its data changed"
    return [stage.name, state, ", ".join(stage.data or stage.needs)]


def _print_size(recipe: Recipe) -> None:
    """What was set, beside what would follow from the dial, and the share of the vocabulary in the whole."""
    rows = [
        [f.setting, shown(f.value), "follows" if f.value == f.rule else f"set; {shown(f.rule)} would follow"]
        for f in followed(recipe)
    ]
    print(f"{recipe.model.family}, the dial at {position(recipe.model)}")
    print_table(drawn(["setting", "value", "from the dial"], rows, words=1))
    share = embedding_cost(recipe.model, vocabulary_size(recipe)).numbers()["embedding_share"]
    print(f"tokenizer: {recipe.tokenizer.algorithm}, {share:.0%} of the parameters are embeddings")


def shown(value: float) -> str:
    """A setting's number; whole ones with their thousands apart."""
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _print_needs(needs: Sequence[Need], rate: float) -> None:
    here = rate * _UTILISATION * (torch.cuda.device_count() if torch.cuda.is_available() else 1)
    head = ["", "parameters", "trained", "tokens", "FLOPs", "time here", "on one H100", "memory", "disk"]
    rows = [
        [
            need.stage,
            f"{need.parameters:,}",
            f"{need.trained:,}",
            f"{need.tokens:,}",
            f"{need.flops:.1e}",
            duration(need.flops / here),
            duration(need.flops / (H100 * _UTILISATION)),
            size(need.memory),
            size(need.disk),
        ]
        for need in needs
    ]
    print_table(drawn(head, rows))
    print(
        f"FLOPs are counted on the model. Times are for training at {_UTILISATION:.0%} of the speed in matrix "
        "products; preparing text and measuring come on top. A task's numbers are upper bounds: every example "
        "max-tokens long, the comparison from scratch included."
    )


def duration(seconds: float) -> str:
    """Seconds in the largest unit of which there are two."""
    for length, unit in ((365 * 86400, "years"), (86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.1f} s"


def size(count: float) -> str:
    """Bytes in MB or GB."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def _shortages(run: Run, needs: Sequence[Need]) -> Iterator[str]:
    place = next(p for p in (run.runs.absolute(), *run.runs.absolute().parents) if p.is_dir())
    free, wanted = shutil.disk_usage(place).free, sum(need.disk for need in needs)
    wanted += _BYTES_A_CHARACTER * run.recipe.corpus.megabytes * 1e6
    machine = hardware()
    memory = machine["memory_gb"] * 1e9
    if wanted > free:
        yield f"{place}: {size(wanted)} of disk are needed, {size(free)} are free; free some, or set --runs"
    room = min((a["memory_gb"] * 1e9 for a in machine["accelerators"]), default=memory)
    for need in needs:
        if need.memory > room:
            yield (
                f"{need.stage}: {size(need.memory)} of memory are needed, {size(room)} are there; "
                f"use a smaller --micro-batch, or shard over devices with recipes/launch/fsdp2.yaml"
            )


def _problems(recipe: Recipe) -> Iterator[str]:
    """What would fail late: sources, columns, rows, lengths, batches, published weights."""
    if recipe.model.start:
        yield from _refusal(load_config, recipe.model.start)
    if recipe.pretrain.steps:
        yield from _refusal(micro_batch, recipe.pretrain.global_batch, recipe.pretrain.micro_batch)
        yield from _refusal(check_launch, "pretrain", recipe.pretrain)
        for spec in (*recipe.corpus.sources, *recipe.pretrain.stream.sources):
            yield from _refusal(_check_text, spec, recipe.corpus)
    for task, settings in recipe.tasks.items():
        yield from _refusal(_check_task, task, settings, recipe.model.context)
    yield from _problems_of_aligning(recipe)


def _problems_of_aligning(recipe: Recipe) -> Iterator[str]:
    if recipe.dpo.data:
        yield from _refusal(read_pairs, recipe.dpo, recipe.held_out, recipe.seed)
    if recipe.grpo.data:
        yield from _refusal(read_problems, recipe.grpo, recipe.seed)


def _refusal(check: Callable[..., Any], *arguments: Any) -> Iterator[str]:
    try:
        check(*arguments)
    except GroundupError as error:
        yield str(error)


def _check_text(spec: str, settings: Corpus) -> None:
    def use(row: Row) -> None:
        if settings.text_column not in row.values:
            text_column(row, settings.text_column, "text-column")  # says which columns there are

    rows = tolerated(read_all(spec), settings.skip_bad_rows, use, lambda refusal: None)
    for row in itertools.islice(rows, _ROWS):
        use(row)


def _check_task(name: str, settings: Finetune, context: int) -> None:
    check_launch(f"tasks.{name}", settings)
    micro_batch(settings.global_batch, settings.micro_batch)
    if settings.model:
        load_config(settings.model)
    elif settings.max_tokens > context:
        raise GroundupError(
            f"--tasks.{name}.max-tokens",
            f"{settings.max_tokens} is longer than the model's {context} positions",
            f"use at most {context}, or a larger --model.context",
        )
    if not settings.data:
        raise GroundupError(f"task '{name}'", "there is no data for it", "name some with --data")
