"""Token shards to a causal language model in its stock form, measured in bits per byte."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    set_seed,
)

from pipeline.artifacts import LOG, SKIPPED, Artifact, write_json_lines
from pipeline.evaluate.bits import bits_per_byte, unigram_bits_per_byte, xz_bits_per_byte
from pipeline.model import history
from pipeline.model.cost import cost
from pipeline.model.families import model_config, round_up
from pipeline.model.machine import choose, compiling, use_physical_cores
from pipeline.model.published import fit_embeddings, load_config, load_model, load_tokenizer, set_attention
from pipeline.processes import on_main, say
from pipeline.recipe import Recipe
from pipeline.tokenizer.shards import open_shards
from pipeline.train.arguments import training_arguments
from pipeline.train.data.blocks import EvaluationRows, TrainingRows
from pipeline.train.faults.guard import Guard
from pipeline.train.faults.halving import parts_of
from pipeline.train.faults.resuming import save_trained, train_or_resume
from pipeline.train.optimizer import optimizer_factory
from pipeline.train.trainer import CausalTrainer, Follower
from pipeline.train.watching.bar import Bar
from pipeline.train.watching.log import Log
from pipeline.train.watching.meter import meter_of
from pipeline.train.watching.samples import Samples
from pipeline.train.watching.trackers import tracker_arguments, tracker_callbacks

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
        Rows ``model``, ``unigram`` and ``xz`` with ``bits_per_byte``; the model's also with loss (nats
        per token), tokens per second, model FLOPs utilisation, seconds, parameters, tokens, steps and energy.
    """
    settings = recipe.pretrain
    if settings.steps == 0:
        return _take_published(recipe.model.start, out)
    tokenizer = load_tokenizer(str(tokenizer_directory))
    shards, context = tokenizer_directory / "shards", recipe.model.context
    following = [follower(tokenizer)] if follower else []
    if recipe.model.family == history.COUNTED and not recipe.model.start:
        return _count(recipe, tokenizer, shards, out)
    trainer = trainer_for(recipe, tokenizer, shards, out, [*callbacks, *following])
    held_out, parameters = trainer.eval_dataset, trainer.model.num_parameters()
    text = tokenizer.decode(held_out.predicted)
    size = len(text.encode())
    train_or_resume(trainer, out.checkpoints, recipe.watch.hung_after)
    loss = _held_out_loss(trainer)
    weights = out.checkpoints / "trained"
    save_trained(trainer, weights)
    on_main(lambda: _save(load_model(str(weights), "AutoModelForCausalLM"), tokenizer, out))
    seen = settings.steps * settings.global_batch * context
    return {
        "model": {
            "bits_per_byte": bits_per_byte(loss, len(held_out.predicted), size),
            "loss": loss,
            **trainer.meter.speed(),
            "parameters": parameters,
            "tokens": seen,
            "steps": settings.steps,
            **trainer.meter.energy_spent(),
        },
        **_baselines(tokenizer, shards, held_out.predicted),
    }


def _baselines(tokenizer: PreTrainedTokenizerBase, shards: Path, predicted: list[int]) -> Metrics:
    """What the held-out tokens cost those that know no more than how often each token comes, or nothing."""
    text = tokenizer.decode(predicted)
    size = len(text.encode())
    counts: Counter[int] = Counter()
    for shard in open_shards(shards / "train"):
        counts.update(dict(enumerate(np.bincount(shard[:5_000_000]).tolist())))
    return {
        "unigram": {"bits_per_byte": unigram_bits_per_byte(counts, len(tokenizer), predicted, size)},
        "xz": {"bits_per_byte": xz_bits_per_byte(text)},
    }


def _count(recipe: Recipe, tokenizer: PreTrainedTokenizerBase, shards: Path, out: Artifact) -> Metrics:
    """n-grams of the rows that others are trained on, by the first process; parameters are all stored numbers."""
    from pipeline.train.counting import count, held_out_loss

    settings = recipe.pretrain
    held_out = _held_out(recipe, tokenizer, shards)
    text = tokenizer.decode(held_out.predicted)
    rows = _training_rows(recipe, tokenizer, shards, out, text)

    def work() -> Metrics:
        model, told = count(rows, _config(recipe, tokenizer), out.checkpoints, recipe.watch)
        _save(model, tokenizer, out)
        loss = held_out_loss(
            load_model(str(out.path), "AutoModelForCausalLM"), held_out, settings.micro_batch
        )
        bits = bits_per_byte(loss, len(held_out.predicted), len(text.encode()))
        measured = {"bits_per_byte": bits, "loss": loss}
        write_json_lines(out.path / LOG, [{"step": settings.steps, "eval_loss": loss, "bits_per_byte": bits}])
        sizes = {"parameters": model.num_parameters(), "steps": settings.steps}
        return {
            "model": {**measured, **told, **sizes},
            **_baselines(tokenizer, shards, held_out.predicted),
        }

    return on_main(work)


def trainer_for(
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerBase,
    shards: Path,
    out: Artifact,
    callbacks: Sequence[TrainerCallback] = (),
    **arguments: Any,
) -> CausalTrainer:
    """The recipe's model, data and optimiser before the first step.

    Args:
        recipe: what to train.
        tokenizer: with which the shards were encoded.
        shards: directory with the token shards ``train`` and ``validation``.
        out: directory for the log and checkpoints.
        callbacks: called after the recipe's own.
        arguments: the Trainer's, beside those that follow from the recipe.
    """
    settings, context = recipe.pretrain, recipe.model.context
    rows = settings.steps * settings.global_batch
    held_out = _held_out(recipe, tokenizer, shards)
    text = tokenizer.decode(held_out.predicted)
    size = len(text.encode())
    training = _training_rows(recipe, tokenizer, shards, out, text)

    use_physical_cores()
    set_seed(recipe.seed)
    model = _start(recipe, tokenizer)
    per_token = cost(model.config, context).flops_per_token
    flops = per_token * rows * context
    choice = choose(
        settings.precision,
        compiling(settings.compile, model.config.model_type),
        settings.attention,
        flops,
        context,
    )
    set_attention(model, choice.attention)
    say(f"pretrain: {choice}")
    log = Log(out.path / LOG, {})
    return CausalTrainer(
        model,
        len(held_out.predicted) / (math.log(2) * size),
        settings.z_loss,
        args=training_arguments(
            settings,
            choice,
            out.checkpoints,
            recipe.seed,
            metric_for_best_model="bits_per_byte",
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
            Samples(settings.prompts, tokenizer, log),
            *tracker_callbacks(recipe.watch.report_to, out, out.checkpoints),
            *callbacks,
        ],
        meter=meter_of(per_token, choice.bfloat16, recipe.watch, out.checkpoints),
        guard=Guard(settings.skipped_steps, settings.leap, out.path / SKIPPED),
        parts=parts_of("pretrain", out.checkpoints),
    )


def _held_out(recipe: Recipe, tokenizer: PreTrainedTokenizerBase, shards: Path) -> EvaluationRows:
    tokens = recipe.pretrain.evaluation_tokens
    return EvaluationRows(shards / "validation", recipe.model.context, tokens, tokenizer.pad_token_id)


def _training_rows(
    recipe: Recipe, tokenizer: PreTrainedTokenizerBase, shards: Path, out: Artifact, measured: str
) -> Dataset:
    """Of the recipe's stream, without what is in the measured text, or of the corpus' shards."""
    if recipe.pretrain.stream.sources:
        from pipeline.train.data.streaming import (
            streamed_rows,
        )  # reads and cleans text, for which much is needed

        return streamed_rows(recipe, tokenizer, shards.parent, measured, out.checkpoints)
    return _rows(recipe, tokenizer.pad_token_id, shards / "train", out.checkpoints)


def _rows(recipe: Recipe, padding: int, shards: Path, checkpoints: Path) -> Dataset:
    """Of the corpus' shards; the first process packs them."""
    rows = recipe.pretrain.steps * recipe.pretrain.global_batch
    options = shards, recipe.model.context, rows, recipe.seed, padding, checkpoints / "rows"
    on_main(lambda: TrainingRows(*options))
    return TrainingRows(*options)


def _held_out_loss(trainer: CausalTrainer) -> float:
    """Of the finished model, which the last measurement was of."""
    return next(entry["eval_loss"] for entry in reversed(trainer.state.log_history) if "eval_loss" in entry)


def _start(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    if recipe.model.start:
        history.refuse_counts(load_config(recipe.model.start).model_type, recipe.model.start)
        model = load_model(recipe.model.start, "AutoModelForCausalLM")
        fit_embeddings(model, tokenizer)
        return model
    return AutoModelForCausalLM.from_config(_config(recipe, tokenizer), dtype="float32")


def _config(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> PretrainedConfig:
    return model_config(
        recipe.model,
        round_up(len(tokenizer)),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, out: Artifact) -> None:
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=True,
        temperature=0.7,
        top_p=0.9,
        repetition_penalty=1.2,
    )
    with out.writing() as beside:
        model.save_pretrained(beside)
        tokenizer.save_pretrained(beside)


def _take_published(start: str, out: Artifact) -> Metrics:
    """Published weights as they are, saved once in the stock form."""
    began = time.monotonic()
    tokenizer, model = load_tokenizer(start), load_model(start, "AutoModelForCausalLM")
    fit_embeddings(model, tokenizer)

    def save() -> None:
        with out.writing() as beside:
            model.save_pretrained(beside)
            tokenizer.save_pretrained(beside)

    on_main(save)
    return {"model": {"parameters": model.num_parameters(), "steps": 0, "seconds": time.monotonic() - began}}
