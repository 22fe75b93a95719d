"""``groundup sweep``: what is judged, what is refused before any work, and where the study lies."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import replace

from pipeline.artifacts import Artifact
from pipeline.errors import GroundupError
from pipeline.processes import say
from pipeline.recipe import Recipe
from pipeline.report.tables import main_metric
from pipeline.settings import fingerprint
from pipeline.stages import Run
from pipeline.sweep.results import print_results, ranked, write_results
from pipeline.sweep.space import Space, space_of
from pipeline.sweep.stage import trained_stage
from pipeline.tasks import task_named


def sweep(run: Run, task: str, over: Sequence[str], trials: int, spell: Callable[[Recipe], str]) -> None:
    """Try settings until there are ``trials`` trials, those of earlier calls with the same space included.

    Args:
        run: of the recipe with the settings that all trials share.
        task: whose main metric judges; empty for held-out bits per byte of pre-training.
        over: one ``SETTING=VALUES`` for each setting (pipeline/sweep/space.py).
        trials: how many.
        spell: the command line that runs a recipe to the judged stage.

    Raises:
        GroundupError: for what cannot be swept, before any training, and for what every trial would meet.
    """
    stage = trained_stage(run, task, "sweep")
    judged = "" if run.recipe.pretrain.is_causal else "loss"
    if task:
        judged = task_named(task, run.recipe.tasks[task]).main_metric
    metric = main_metric(stage, [judged])
    assert metric is not None  # every stage that trains has one
    space = space_of(run.declared, over, [task] if task else list(run.recipe.tasks))
    if trials < 1:
        raise GroundupError("--trials", f"{trials} try nothing", "use 1 or more")
    _refuse_without_effect(run, space, stage)
    if importlib.util.find_spec("optuna") is None:
        raise GroundupError(
            "sweep", "the package optuna is not installed", "install it: pip install 'groundup[sweep]'"
        )
    from pipeline.sweep.trials import Trials, open_study

    mark = fingerprint(run.fingerprint(run.stages()[stage]), space.dimensions)
    directory = run.path / "sweep" / f"{stage.replace('/', '-')}-{mark[:8]}"
    with Artifact(directory).locked():
        tried = Trials(run, space, stage, metric, directory, open_study(directory, metric))
        tried.go_on(trials)
        outcomes = ranked(tried.outcomes(), metric)
    print_results(outcomes, metric)
    best = outcomes[0]
    if best.state != "finished":
        raise GroundupError(
            "sweep", f"no trial came to its end: {best.note or best.state}", "try other values"
        )
    command = spell(space.at(best.settings))
    write_results(directory / "sweep.json", stage, metric, over, outcomes, command)
    say(f"The best is in {directory / best.trial}; from the recipe it is\n  {command}")


def _refuse_without_effect(run: Run, space: Space, stage: str) -> None:
    """Refuse a setting that changes nothing about what is judged; a lone one with an impossible value too."""
    for name, dimension in space.dimensions.items():
        at = space.at if len(space.dimensions) == 1 else space.changed
        marks = {_mark(replace(run, declared=at({name: value})), stage) for value in dimension.edges}
        if len(marks) == 1:
            raise GroundupError(
                f"--over {name}", f"it changes nothing about {stage}", "leave it out, or name another --task"
            )


def _mark(run: Run, stage: str) -> str:
    return fingerprint([(before.settings, before.data) for before in run.chain(stage)])
