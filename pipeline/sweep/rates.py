"""``groundup rates``: a learning-rate range test (Smith, 2017, "Cyclical Learning Rates for Training Neural Networks").

The rates rise exponentially from step to step until the loss diverges. Where they are far too low nothing is
learnt; where the loss falls steepest is a rate on the safe side; beyond its least the training is unstable.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from torch.optim.lr_scheduler import LambdaLR
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from pipeline.artifacts import Artifact, replacing, write_json
from pipeline.errors import GroundupError
from pipeline.model.published import load_tokenizer
from pipeline.processes import say
from pipeline.recipe import Finetune, Pretrain, Recipe
from pipeline.report.tables import drawn, print_table
from pipeline.stages import Run, task_of
from pipeline.sweep.stage import trained_stage
from pipeline.train.finetune import bench_for
from pipeline.train.pretrain import trainer_for
from pipeline.train.watching.trainer import MeteredTrainer

_SMOOTHED = 0.04
"""Width of the Gaussian that the loss is smoothed with, as a share of the steps; they differ by their data."""
_WINDOW = 5
"""Steps whose mean loss is watched."""
_DIVERGED = 1.5
"""The mean loss is taken to have diverged at this multiple of its least."""
_RISEN = 0.1
"""The smoothed loss is past its least when it has risen by this share of what it had fallen …"""
_FALLEN = 0.05
"""… provided that this was at least this share of where it began, which the data alone do not bring about."""
_FEWEST = 20
"""Fewer steps tell nothing."""


@dataclass(frozen=True)
class Rise:
    """Factors on a recipe's learning rates: exponential from ``lowest`` to ``highest`` in ``steps`` steps."""

    steps: int
    lowest: float
    highest: float

    def factor(self, step: int) -> float:
        """Of a step, counted from 0."""
        return self.lowest * (self.highest / self.lowest) ** (step / (self.steps - 1))


@dataclass(frozen=True)
class Found:
    """Factors on a recipe's learning rates."""

    steepest: float
    """Where the smoothed loss falls fastest in the logarithm of the rate."""
    least: float
    """Where it is least before it rises again."""


def find_rates(run: Run, task: str, rise: Rise, spell: Callable[[Recipe], str]) -> None:
    """Test a range of learning rates, print what suits, and draw the losses.

    Args:
        run: of the recipe whose rates are the measure; stages that training needs are brought to their end.
        task: to fine-tune for; empty for pre-training.
        rise: how the rates rise.
        spell: the command line that trains with a recipe.

    Raises:
        GroundupError: for what cannot be tested, before any work; when the loss never fell.
    """
    stage = trained_stage(run, task, "rates")
    _check(rise)
    for needed in run.chain(stage)[-1].needs:
        run.finish(needed)
    out = Artifact(run.path / "rates" / stage)
    with out.locked():
        trainer, training = _trainer(run, stage, rise.steps, out)
        trainer.unguard()  # it is to diverge
        losses = range_test(trainer, rise)
        shutil.rmtree(out.checkpoints, ignore_errors=True)  # the Trainer makes it, and nothing was saved
        found = suggestion(losses, rise)
        _draw(out.path / "rates.png", stage, losses, found, rise)
        rows = {"the recipe": 1.0, "loss falls steepest": found.steepest, "loss is least": found.least}
        rates = {row: _rates(training, factor) for row, factor in rows.items()}
        write_json(out.path / "rates.json", {**asdict(rise), "rates": rates, "losses": losses})
    names = [name.replace("_", " ") for name in _rates(training)]
    print_table(drawn(["", *names], [[row, *map(str, values.values())] for row, values in rates.items()]))
    if found.least == rise.factor(rise.steps - 1):
        say("The loss fell to the end of the range, so that its least says nothing.")
    command = spell(_with(run.declared, stage, _rates(training, found.steepest)))
    say(f"Every loss: {out.path / 'rates.png'}. A rate on the safe side, to sweep upwards from:\n  {command}")


def range_test(trainer: Trainer, rise: Rise) -> list[float]:
    """The loss of every step (nats) while all rates of the trainer's optimiser rise, until it diverges."""
    trainer.create_optimizer()
    trainer.lr_scheduler = LambdaLR(trainer.optimizer, rise.factor)
    watch = RangeTest()
    trainer.add_callback(watch)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return watch.losses


def suggestion(losses: Sequence[float], rise: Rise) -> Found:
    """What the losses of the steps say.

    Raises:
        GroundupError: when the loss never fell.
    """
    smooth = _smooth([loss for loss in losses if math.isfinite(loss)], rise)
    least = _first_least(smooth) if len(smooth) else 0
    if not least:
        raise GroundupError(
            "rates",
            f"the loss never fell from {losses[0]:.3f}",
            "begin with a smaller --lowest, or look at the data",
        )
    steepest = int(np.argmin(np.gradient(smooth)[: least + 1]))
    return Found(rise.factor(steepest), rise.factor(least))


class RangeTest(TrainerCallback):
    """Keeps the loss of every step, and ends the training when it diverges."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: object,
    ) -> TrainerControl:
        logs = logs or {}
        if "loss" in logs:
            self.losses.append(logs["loss"])
            means = np.convolve(self.losses, np.ones(_WINDOW) / _WINDOW, mode="valid")
            if len(means) and not means[-1] <= _DIVERGED * means.min():  # so also where it is no number
                control.should_training_stop = True
        return control


def _smooth(losses: Sequence[float], rise: Rise) -> NDArray[np.float64]:
    return gaussian_filter1d(np.asarray(losses, float), _SMOOTHED * rise.steps, mode="nearest")


def _first_least(smooth: NDArray[np.float64]) -> int:
    least = np.minimum.accumulate(smooth)
    fallen = smooth[0] - least
    risen = (smooth - least > _RISEN * fallen) & (fallen > _FALLEN * smooth[0])
    return int(np.argmin(smooth[: int(np.argmax(risen)) if risen.any() else len(smooth)]))


def _check(rise: Rise) -> None:
    if rise.steps < _FEWEST:
        raise GroundupError("--steps", f"{rise.steps} tell nothing", f"use {_FEWEST} or more")
    if not 0 < rise.lowest < rise.highest:
        raise GroundupError("--lowest", f"{rise.lowest} is not between 0 and {rise.highest}", "use less")


def _trainer(run: Run, stage: str, steps: int, out: Artifact) -> tuple[MeteredTrainer, Pretrain | Finetune]:
    """The stage's own model, data and optimiser, for a few steps of which nothing is kept but the log; its settings."""
    recipe = replace(run.recipe, watch=replace(run.recipe.watch, energy=False, report_to=()))
    nothing_kept = {"save_strategy": "no", "eval_strategy": "no"}
    if stage == "pretrain":
        short = replace(recipe.pretrain, steps=steps, log_every=1)
        tokenizer = run.artifact("tokenizer").path
        made = trainer_for(
            replace(recipe, pretrain=short),
            load_tokenizer(str(tokenizer)),
            tokenizer / "shards",
            out,
            **nothing_kept,
        )
        return made, short
    task = task_of(stage)
    settings = replace(recipe.tasks[task], steps=steps, passes=0.0, log_every=1)
    start = settings.model or str(run.artifact("pretrain").path)
    bench, model = bench_for(task, settings, start, recipe.held_out, recipe.seed, out, recipe.watch)
    return bench.trainer("rates", model, out.checkpoints, **nothing_kept), bench.task.settings


def _rates(training: Pretrain | Finetune, factor: float = 1.0) -> dict[str, float]:
    """A multiple of a training's rates to two digits, by their settings."""
    rates = {"learning_rate": float(training.learning_rate)}
    if training.optimizer == "muon":
        rates["muon_learning_rate"] = training.muon_learning_rate
    return {name: float(f"{factor * rate:.2g}") for name, rate in rates.items()}


def _with(recipe: Recipe, stage: str, rates: Mapping[str, Any]) -> Recipe:
    if stage == "pretrain":
        return replace(recipe, pretrain=replace(recipe.pretrain, **rates))
    task = task_of(stage)
    return replace(recipe, tasks={**recipe.tasks, task: replace(recipe.tasks[task], **rates)})


def _draw(file: Path, title: str, losses: Sequence[float], found: Found, rise: Rise) -> None:
    factors = [rise.factor(step) for step in range(len(losses))]
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(factors, losses, ".", markersize=4, label="a step")
    axes.plot(factors, _smooth(losses, rise), label="smoothed")
    axes.axvline(found.steepest, color="grey", linestyle="--", label=f"steepest: {found.steepest:.2g}")
    axes.axvline(found.least, color="grey", linestyle=":", label=f"least: {found.least:.2g}")
    axes.set(
        xscale="log",
        xlabel="learning rates, as a multiple of the recipe's",
        ylabel="loss (nats)",
        title=title,
    )
    axes.legend(frameon=False)
    with replacing(file) as beside:
        figure.savefig(beside, format="png", dpi=120)
