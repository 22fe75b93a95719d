"""The trials of a sweep: what is tried next, as Optuna proposes, and what came of it, kept in its study."""

from __future__ import annotations

import itertools
import math
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from pipeline.artifacts import LOG, Artifact, read_log
from pipeline.errors import GroundupError
from pipeline.model.scaling import resolved
from pipeline.processes import say
from pipeline.recipe import Recipe
from pipeline.report.tables import MainMetric, number, words
from pipeline.stages import Run
from pipeline.sweep.pruning import Pruning
from pipeline.sweep.results import Outcome, State
from pipeline.sweep.space import Choices, Dimension, Space
from pipeline.sweep.stage import training_of
from pipeline.sweep.trial_run import finish_trial
from pipeline.train.faults.guard import DivergedError
from pipeline.train.faults.resuming import StoppedEarly

_RANDOM = 5
"""Trials whose settings are drawn evenly before earlier ones guide the choice."""
_UNPRUNED = 3
"""Trials that have to be finished before any is pruned."""
_WORST = 75.0
"""Per cent of the finished trials that one has to be worse than. Not half: before the rate decays at the end, high
rates look worse than they come out."""
_NAME = "name"
_OUTCOME = "outcome"


def open_study(directory: Path, metric: MainMetric) -> optuna.Study:
    """The study of a directory with all its trials; in SQLite, which a crash leaves whole."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        storage=f"sqlite:///{(directory / 'study.db').absolute()}",
        study_name=directory.name,
        direction="minimize" if metric.lower_is_better else "maximize",
        pruner=optuna.pruners.PercentilePruner(_WORST, n_startup_trials=_UNPRUNED),
        load_if_exists=True,
    )


@dataclass(frozen=True)
class Trials:
    """The trials of one study; no other process may hold it."""

    base: Run
    """Of the recipe that is swept."""
    space: Space
    stage: str
    """The one that is judged."""
    metric: MainMetric
    directory: Path
    study: optuna.Study

    def outcomes(self) -> list[Outcome]:
        """Of the trials that have ended, in their order."""
        return [Outcome(**t.user_attrs[_OUTCOME]) for t in self.study.trials if _OUTCOME in t.user_attrs]

    def go_on(self, trials: int) -> None:
        """Try until so many trials have ended, or every combination was tried.

        Raises:
            GroundupError: what a stage refuses before any trial has come to its end: it is the recipe's or the
                machine's, and no matter of a trial's settings.
            Interrupted: when asked to stop; the trial goes on at the next call.
        """
        combinations = list(_combinations(self.space.dimensions))
        if not self.study.trials:
            own = self.space.own()  # first, to see what it has over the recipe as it is
            for values in combinations if 0 < len(combinations) <= trials else [own] if own else []:
                self.study.enqueue_trial(values)
        self._queue_what_was_cut_off()
        distributions = {name: _distribution(values) for name, values in self.space.dimensions.items()}
        while (ended := len(self.outcomes())) < min(trials, len(combinations) or trials):
            # A seed for each, so that a sweep that was cut off chooses as one that was not.
            seed = self.base.recipe.seed + ended
            self.study.sampler = optuna.samplers.TPESampler(n_startup_trials=_RANDOM, seed=seed)
            self._try(self.study.ask(distributions))

    def _queue_what_was_cut_off(self) -> None:
        """A trial that runs has lost the process that ran it."""
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            if _OUTCOME in trial.user_attrs:
                self._tell(trial.number, Outcome(**trial.user_attrs[_OUTCOME]))
                continue
            self.study.tell(trial.number, state=TrialState.FAIL)
            if _NAME in trial.user_attrs:
                self.study.enqueue_trial(trial.params, {_NAME: trial.user_attrs[_NAME]})

    def _try(self, trial: optuna.Trial) -> None:
        used = {t.user_attrs[_NAME] for t in self.study.trials if _NAME in t.user_attrs}
        name = trial.user_attrs.get(_NAME, f"trial-{len(used)}")
        trial.set_user_attr(_NAME, name)
        say(f"{name}: {', '.join(f'{setting} {value}' for setting, value in trial.params.items())}")
        outcome = self._outcome(name, trial)
        trial.set_user_attr(_OUTCOME, asdict(outcome))
        self._tell(trial.number, outcome)
        said = outcome.note or f"{words(self.metric.name)} {number(outcome.value)}"
        say(f"{name}: {outcome.state}, {said}")

    def _tell(self, number: int, outcome: Outcome) -> None:
        """For Optuna, what did not come to its end is pruned: a trial unlike which others should be."""
        if outcome.state == "finished":
            self.study.tell(number, outcome.value)
        else:
            self.study.tell(number, state=TrialState.PRUNED)

    def _outcome(self, name: str, trial: optuna.Trial) -> Outcome:
        """Run a trial in its directory."""
        began, refused = time.monotonic(), Outcome(name, trial.params, "refused")
        try:
            recipe = self.space.at(trial.params)
        except GroundupError as error:
            return replace(refused, note=str(error))
        try:
            outcome = self._trained(refused, recipe, Pruning(trial))
        except (GroundupError, torch.OutOfMemoryError) as error:
            if not any(earlier.state == "finished" for earlier in self.outcomes()):
                raise
            outcome = replace(refused, note=" ".join(str(error).split()))
        return replace(outcome, seconds=time.monotonic() - began)

    def _trained(self, outcome: Outcome, recipe: Recipe, pruning: Pruning) -> Outcome:
        """The outcome of training with these settings, whatever it was before."""
        place, steps = self.directory / outcome.trial, training_of(resolved(recipe), self.stage).steps
        watched = (pruning,) if self.stage == "pretrain" else ()  # else not what judges would be reported
        state: State = "finished"
        try:
            artifact = finish_trial(self.base, _without_rivals(recipe), place, self.stage, watched)
        except StoppedEarly:
            shutil.rmtree(Artifact(place / self.stage).checkpoints, ignore_errors=True)
            value, state, steps = pruning.value, "pruned", pruning.step
        except DivergedError:
            value = math.nan
        else:
            value = artifact.metrics()["model"][self.metric.name]
            if watched:  # a model taken over was not trained here
                pruning.report(read_log(artifact.path / LOG), steps)
        if not math.isfinite(value):
            return replace(outcome, state="diverged", steps=steps)
        return replace(outcome, state=state, value=value, steps=steps)


def _without_rivals(recipe: Recipe) -> Recipe:
    """Tasks without the model from random weights, which no trial is judged by and takes as long to train."""
    return replace(recipe, tasks={t: replace(s, from_scratch=False) for t, s in recipe.tasks.items()})


def _combinations(dimensions: Mapping[str, Dimension]) -> Iterator[dict[str, Any]]:
    """Every one, where each setting has a few values to choose from; else none."""
    choices = [d.edges for d in dimensions.values() if isinstance(d, Choices)]
    if len(choices) == len(dimensions):
        for values in itertools.product(*choices):
            yield dict(zip(dimensions, values, strict=True))


def _distribution(values: Dimension) -> BaseDistribution:
    if isinstance(values, Choices):
        return CategoricalDistribution(values.edges)
    if isinstance(values.low, int):
        return IntDistribution(values.low, values.high, log=values.logarithmic, step=values.step or 1)
    return FloatDistribution(values.low, values.high, log=values.logarithmic, step=values.step)
