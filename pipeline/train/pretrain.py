"""Token shards to a language model in its stock form, by one of the objectives, measured on held-out text."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase, TrainerCallback, set_seed

from pipeline.artifacts import LOG, SKIPPED, Artifact, write_json_lines
from pipeline.model import history
from pipeline.model.machine import choose, compiling, use_physical_cores
from pipeline.model.published import fit_embeddings, load_model, load_tokenizer, set_attention
from pipeline.processes import on_main, say
from pipeline.recipe import Recipe
from pipeline.train.arguments import training_arguments
from pipeline.train.faults.guard import Guard
from pipeline.train.faults.halving import parts_of
from pipeline.train.faults.resuming import save_trained, train_or_resume
from pipeline.train.objectives import objective_named, objective_of
from pipeline.train.objectives.base import Objective
from pipeline.train.optimizer import optimizer_factory
from pipeline.train.trainer import Follower
from pipeline.train.watching.bar import Bar
from pipeline.train.watching.log import Log
from pipeline.train.watching.meter import meter_of
from pipeline.train.watching.trackers import tracker_arguments, tracker_callbacks
from pipeline.train.watching.trainer import MeteredTrainer

Metrics = Mapping[str, Mapping[str, Any]]


def pretrain(
    recipe: Recipe,
    tokenizer_directory: Path,
    out: Artifact,
    callbacks: Sequence[TrainerCallback] = (),
    follower: Follower | None = None,
) -> Metrics:
    """Train the recipe's model on the tokenizer stage's shards and save it with its tokenizer.

    Args:
        recipe: what to train.
        tokenizer_directory: the tokenizer stage's.
        out: directory of the stage.
        callbacks: called after the recipe's own.
        follower: makes one more of the tokenizer.

    Returns:
        Row ``model`` and those of baselines with what the objective measures: of causal ones ``unigram`` and ``xz``,
        with ``bits_per_byte``; the model's also with loss (nats per target), tokens per second, model FLOPs
        utilisation, seconds, parameters, tokens, steps and energy.
    """
    settings = recipe.pretrain
    if settings.steps == 0:
        return _take_published(recipe, out)
    tokenizer = load_tokenizer(str(tokenizer_directory))
    objective = objective_of(recipe, tokenizer, tokenizer_directory / "shards")
    following = [follower(tokenizer)] if follower else []
    if recipe.model.family == history.COUNTED and not recipe.model.start:
        return on_main(lambda: _count(objective, out))
    trainer = _trainer(objective, out, [*callbacks, *following])
    held_out, parameters = trainer.eval_dataset, objective.parameters(trainer.model)
    train_or_resume(trainer, out.checkpoints, recipe.watch.hung_after)
    measured = _last_measured(trainer)
    weights = out.checkpoints / "trained"
    save_trained(trainer, weights)

    def finish() -> Metrics:
        model = objective.finished(weights)
        with out.writing() as beside:
            objective.save(model, weights, beside)
        return objective.metrics(measured, model, held_out)

    rows = on_main(finish)
    costs = {
        **trainer.meter.speed(),
        "parameters": parameters,
        "tokens": settings.steps * settings.global_batch * objective.row_tokens,
        "steps": settings.steps,
        **trainer.meter.energy_spent(),
    }
    return {**rows, "model": {**rows["model"], **costs}}


def _count(objective: Objective, out: Artifact) -> Metrics:
    """n-grams of the rows that others are trained on; parameters are all stored numbers."""
    from pipeline.train.counting import count, held_out_loss

    recipe, held_out = objective.recipe, objective.held_out_rows()
    rows = objective.training_rows(out.checkpoints)
    model, told = count(rows, objective.config(), out.checkpoints, recipe.watch)
    with out.writing() as beside:
        objective.save(model, out.checkpoints, beside)
    saved = load_model(str(out.path), objective.model_class)
    measured = {"eval_loss": held_out_loss(saved, held_out, recipe.pretrain.micro_batch)}
    found = objective.metrics(measured, saved, held_out)
    bits = found["model"]["bits_per_byte"]
    write_json_lines(out.path / LOG, [{"step": recipe.pretrain.steps, **measured, "bits_per_byte": bits}])
    sizes = {"parameters": saved.num_parameters(), "steps": recipe.pretrain.steps}
    return {**found, "model": {**found["model"], **told, **sizes}}


def trainer_for(
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerBase,
    shards: Path,
    out: Artifact,
    callbacks: Sequence[TrainerCallback] = (),
    **arguments: Any,
) -> MeteredTrainer:
    """The recipe's model, data and optimiser before the first step.

    Args:
        recipe: what to train.
        tokenizer: with which the shards were encoded.
        shards: directory with the token shards ``train`` and ``validation``.
        out: directory for the log and checkpoints.
        callbacks: called after the recipe's own.
        arguments: the Trainer's, beside those that follow from the recipe.
    """
    return _trainer(objective_of(recipe, tokenizer, shards), out, callbacks, **arguments)


def _trainer(
    objective: Objective, out: Artifact, callbacks: Sequence[TrainerCallback], **arguments: Any
) -> MeteredTrainer:
    recipe = objective.recipe
    settings, context = recipe.pretrain, recipe.model.context
    held_out, training = objective.held_out_rows(), objective.training_rows(out.checkpoints)
    use_physical_cores()
    set_seed(recipe.seed)
    model = objective.model()
    per_token = objective.flops_per_token(model)
    flops = per_token * settings.steps * settings.global_batch * context
    compiles = compiling(settings.compile, model.config.model_type)
    choice = choose(settings.precision, compiles, objective.attention, flops, context)
    set_attention(model, choice.attention)
    say(f"pretrain: {choice}")
    log = Log(out.path / LOG, {})
    return objective.trainer(
        model,
        held_out,
        args=training_arguments(
            settings,
            choice,
            out.checkpoints,
            recipe.seed,
            metric_for_best_model=objective.judged_by,
            greater_is_better=False,
            eval_steps=settings.evaluate_every or settings.steps,  # the last step is measured in any case
            per_device_eval_batch_size=settings.micro_batch,
            **tracker_arguments(recipe.watch.report_to, out),
            **{"eval_strategy": "steps", **arguments},
        ),
        train_dataset=training,
        eval_dataset=held_out,
        optimizer_cls_and_kwargs=optimizer_factory(settings),
        callbacks=[
            log,
            Bar("pretrain"),
            *objective.callbacks(log),
            *tracker_callbacks(recipe.watch.report_to, out, out.checkpoints),
            *callbacks,
        ],
        meter=meter_of(per_token, choice.bfloat16, recipe.watch, out.checkpoints),
        guard=Guard(settings.skipped_steps, settings.leap, out.path / SKIPPED),
        parts=parts_of("pretrain", out.checkpoints),
    )


def _last_measured(trainer: MeteredTrainer) -> dict[str, float]:
    """Of the finished model, which the last measurement was of."""
    return next(entry for entry in reversed(trainer.state.log_history) if "eval_loss" in entry)


def _take_published(recipe: Recipe, out: Artifact) -> Metrics:
    """Published weights as they are, saved once in the stock form."""
    began, start = time.monotonic(), recipe.model.start
    tokenizer = load_tokenizer(start)
    model = load_model(start, objective_named(recipe.pretrain.objective).model_class)
    fit_embeddings(model, tokenizer)

    def save() -> None:
        with out.writing() as beside:
            model.save_pretrained(beside)
            tokenizer.save_pretrained(beside)

    on_main(save)
    return {"model": {"parameters": model.num_parameters(), "steps": 0, "seconds": time.monotonic() - began}}
