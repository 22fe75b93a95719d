"""What would fail late: each with its place and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipeline.errors import GroundupError
from pipeline.launch import check_launch, check_processes
from pipeline.model.published import check_positions, load_config
from pipeline.plan.needs import Need
from pipeline.plan.tables import size
from pipeline.processes import is_main
from pipeline.provenance import hardware
from pipeline.recipe import Finetune, Recipe
from pipeline.stages import Run, check_own_model
from pipeline.tasks import task_named
from pipeline.train.align.dpo import read_pairs
from pipeline.train.align.problems import read_problems
from pipeline.train.arguments import micro_batch
from pipeline.train.data.examples import read_examples
from pipeline.train.objectives import check_objective

_BYTES_A_CHARACTER = 2.5
"""Disk of the corpus and tokenizer stages while they work: raw and clean text and signatures, then token shards."""


def refuse_wrong_data(run: Run, tasks: Sequence[str]) -> None:
    """Read the whole data of tasks that wait for pre-training: what is wrong with them should not come after it.

    Raises:
        GroundupError: for the first mistake, naming its place and what to do.
    """
    if is_main() and not run.is_finished("pretrain"):
        for task in tasks:
            settings = run.recipe.tasks[task]
            if not settings.model:
                _check_task(task, settings, run.recipe)
                read_examples(task_named(task, settings), run.recipe.held_out, run.recipe.seed)


def problems_of(recipe: Recipe) -> Iterator[str]:
    """Settings, published weights and processes; what is aligned, with its data."""
    processes = recipe.plan.processes
    if recipe.model.start:
        yield from refusal(load_config, recipe.model.start)
    if recipe.pretrain.steps:
        yield from refusal(check_launch, "pretrain", recipe.pretrain, processes)
        yield from refusal(check_objective, recipe)
    for task, settings in recipe.tasks.items():
        yield from refusal(_check_task, task, settings, recipe)
    if recipe.dpo.data:
        yield from refusal(check_processes, "--dpo.global-batch", recipe.dpo.global_batch, processes)
        yield from refusal(read_pairs, recipe.dpo, recipe.held_out, recipe.seed)
    if recipe.grpo.data:
        yield from refusal(check_processes, "--grpo.global-batch", recipe.grpo.global_batch, processes)
        yield from refusal(read_problems, recipe.grpo, recipe.seed)


def refusal(check: Callable[..., Any], *arguments: Any) -> Iterator[str]:
    """What a check refuses, if it does."""
    try:
        check(*arguments)
    except GroundupError as error:
        yield str(error)


def _check_task(name: str, settings: Finetune, recipe: Recipe) -> None:
    check_launch(f"tasks.{name}", settings, recipe.plan.processes)
    micro_batch(settings.global_batch, settings.micro_batch, recipe.plan.processes)
    if not settings.model:
        check_own_model(recipe, name, settings)
    setting, context = f"--tasks.{name}.max-tokens", recipe.model.context
    if settings.model:
        check_positions(load_config(settings.model), settings.max_tokens, settings.model, setting)
    elif settings.max_tokens > context:
        raise GroundupError(
            setting,
            f"{settings.max_tokens} is longer than the model's {context} positions",
            f"use at most {context}, or a larger --model.context",
        )
    if not settings.data:
        raise GroundupError(f"task '{name}'", "there is no data for it", "name some with --data")


def shortages(run: Run, needs: Sequence[Need]) -> Iterator[str]:
    """Disk and memory of this machine that the trainings need and that is not there."""
    place = next(p for p in (run.runs.absolute(), *run.runs.absolute().parents) if p.is_dir())
    free, wanted = shutil.disk_usage(place).free, sum(need.disk for need in needs)
    wanted += _BYTES_A_CHARACTER * run.recipe.corpus.megabytes * 1e6
    machine = hardware()
    memory = machine["memory_gb"] * 1e9
    if wanted > free:
        yield f"{place}: {size(wanted)} of disk are needed, {size(free)} are free; free some, or set --runs"
    room = min((a["memory_gb"] * 1e9 for a in machine["accelerators"]), default=memory)
    for need in needs:
        if need.memory.total > room:
            yield (
                f"{need.stage}: {size(need.memory.total)} of memory are needed, {size(room)} are there; "
                f"use a smaller --micro-batch, or shard over devices with recipes/launch/fsdp2.yaml"
            )
