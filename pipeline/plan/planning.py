"""The plan: what a run will need, and what would fail late; trains nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from pipeline.errors import GroundupError
from pipeline.model.published import load_config
from pipeline.model.vocabulary import own_config
from pipeline.plan.machines import HERE, NAMED, Machine, estimate, prices_of
from pipeline.plan.measuring import Speed, measured_speed
from pipeline.plan.needs import Need, needs_of, trainings_of
from pipeline.plan.problems import problems_of, refusal, shortages
from pipeline.plan.record import write_plan
from pipeline.plan.tables import (
    print_lengths,
    print_machines,
    print_memory,
    print_parameters,
    print_size,
    print_work,
    told_of_optimum,
    told_of_speed,
    told_of_tokens,
)
from pipeline.plan.texts import beginnings, learn_tokenizer
from pipeline.processes import is_main
from pipeline.provenance import describe_hardware, hardware
from pipeline.publish.hub import check_ahead
from pipeline.recipe import Recipe
from pipeline.report.tables import drawn, print_table
from pipeline.stages import Run, Stage
from pipeline.train.data.reading import Reading, Start, read_all_apart

T = TypeVar("T")


def print_plan(run: Run, task: str = "", repo: str = "", public: bool = False) -> None:
    """Print what each stage will need and what would fail late; write the plan down where nothing would.

    Args:
        run: to plan.
        task: whose model is to be published.
        repo: where to, as user/name; without it nothing is asked of the Hub.
        public: whether everybody may read it.

    Raises:
        GroundupError: when something would fail, after everything is printed.
    """
    if not is_main():
        return
    recipe, prices = run.recipe, prices_of(run.recipe.plan.prices)
    # First what forks: while no thread computes, and nothing was freed here that a fork would use again.
    texts = beginnings(recipe)
    read = _read_tasks(run, [text for some in texts.values() if isinstance(some, list) for text in some])
    problems = [str(found) for found in texts.values() if isinstance(found, GroundupError)]
    problems += [*problems_of(recipe), *read.refused]
    if repo:
        problems += refusal(check_ahead, run, task, repo, public)
    trainings = _or_nothing(lambda: list(trainings_of(recipe, read.readings)))
    needs = _or_nothing(lambda: list(needs_of(recipe, read.readings)))
    speed = measured_speed(
        trainings[0][1] if trainings else None, recipe.pretrain.precision, recipe.watch.energy
    )
    _print_run(run, speed)
    if needs:
        machines = [_here(speed, recipe.plan.utilisation), *NAMED]
        _print_needs(recipe, needs, read, machines)
        estimates = [estimate(m, needs, _share(m, recipe.plan.utilisation), prices) for m in machines]
        print_machines(estimates, recipe.plan.utilisation)
        problems += shortages(run, needs)
    for problem in problems:
        print(f"✗ {problem}")
    if problems:
        raise GroundupError(
            f"recipe '{recipe.name}'", f"{len(problems)} would fail", "mend what is marked with ✗ above"
        )
    if needs:
        print(f"→ {write_plan(run, needs, read.readings, speed, estimates)}")
    right = f", and so is the right to push to {repo}" if repo else ""
    print(
        f"✓ sources, columns, labels, lengths, special tokens, batches, memory and disk are in order{right}"
    )


@dataclass(frozen=True)
class _Read:
    """The tasks' data."""

    readings: dict[str, Reading]
    refused: list[str]
    """What is wrong with the others."""
    exact: bool
    """Whether lengths are by the tokenizers that the tasks will have."""


def _read_tasks(run: Run, texts: list[str]) -> _Read:
    recipe = run.recipe
    tasks = {name: settings for name, settings in recipe.tasks.items() if settings.data}
    with tempfile.TemporaryDirectory() as place:
        known = _own_tokenizer(run)
        learnt = not known and any(not settings.model for settings in tasks.values())
        if learnt and learn_tokenizer(recipe, texts, Path(place)):
            known = place
        starts = _starts(recipe, known)
        found = read_all_apart(tasks, recipe.held_out, recipe.seed, starts)
    return _Read(
        {task: reading for task, reading in found.items() if isinstance(reading, Reading)},
        [str(error) for error in found.values() if isinstance(error, GroundupError)],
        exact=not learnt,
    )


def _own_tokenizer(run: Run) -> str:
    """Where the tokenizer of the recipe's own model is; empty where the run has none yet."""
    if run.recipe.model.start:
        return run.recipe.model.start
    made = run.artifact("tokenizer")
    return str(made.path) if run.recipe.pretrain.steps and run.is_finished("tokenizer") else ""


def _starts(recipe: Recipe, tokenizer: str) -> dict[str, Start]:
    """By task what its examples are encoded for; of a start that cannot be read nothing, for it is told elsewhere."""
    found = {}
    for task, settings in recipe.tasks.items():
        name = settings.model or tokenizer
        try:
            config = load_config(settings.model) if settings.model else own_config(recipe)
        except GroundupError:
            continue
        if name:
            found[task] = Start(name, config, settings.model or recipe.model.start or recipe.name)
    return found


def _or_nothing(work: Callable[[], list[T]]) -> list[T]:
    """A list, or none where published weights cannot be read: that is among the problems."""
    try:
        return work()
    except GroundupError:
        return []


def _here(speed: Speed, utilisation: float) -> Machine:
    """This machine, as fast as its steps were."""
    machine, devices = hardware(), max(1, torch.cuda.device_count())
    memory = min((a["memory_gb"] for a in machine["accelerators"]), default=machine["memory_gb"])
    reached = speed.training or speed.products * utilisation
    return Machine(HERE, reached * devices, memory * 1e9, 0.0, speed.watts, devices)


def _share(machine: Machine, utilisation: float) -> float:
    """Of its FLOP/s that training reaches: those of this machine were measured in training."""
    return utilisation if machine in NAMED else 1.0


def _print_run(run: Run, speed: Speed) -> None:
    recipe = run.recipe
    print(f"recipe {recipe.name}, in {run.path}")
    print(describe_hardware(hardware()))
    for line in told_of_speed(speed, recipe.plan.utilisation):
        print(line)
    rows = [_described(run, stage) for stage in run.stages().values()]
    print_table(drawn(["stage", "state", "from"], rows, words=3))
    if recipe.pretrain.steps and not recipe.model.start:
        print_size(recipe)


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


def _print_needs(recipe: Recipe, needs: list[Need], read: _Read, machines: list[Machine]) -> None:
    here, other = machines[0], next(machine for machine in machines if machine.name == "h100")
    print_parameters(needs)
    print_lengths(read.readings, {task: s.max_tokens for task, s in recipe.tasks.items()}, read.exact)
    for line in told_of_tokens(read.readings):
        print(line)
    print_work(needs, here, other, recipe.plan.utilisation)
    if needs[0].stage == "pretrain" and not recipe.model.start:
        print(told_of_optimum(needs[0]))
    print_memory(needs)
