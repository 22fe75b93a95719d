"""A published or pre-trained model and task data to a fine-tuned model, measured beside its rivals."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import transformers
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)

from pipeline.artifacts import (
    DETAILS,
    LOG,
    PREDICTIONS,
    SKIPPED,
    WORST,
    Artifact,
    read_json,
    write_json,
    write_json_lines,
)
from pipeline.model import history
from pipeline.model.adapters import hold_in_bfloat16, stock, trained_parameters
from pipeline.model.families import check_writes
from pipeline.model.machine import choose_for_many_shapes, compiling, on_device, use_physical_cores
from pipeline.model.published import load_config, load_tokenizer, set_attention
from pipeline.model.scaling import finetuning
from pipeline.model.special_tokens import check_end_of_text
from pipeline.processes import on_main, say
from pipeline.recipe import Finetune, Watch
from pipeline.startup import work_ended
from pipeline.tasks import task_named
from pipeline.tasks.base import Prediction, Task
from pipeline.train.arguments import training_arguments
from pipeline.train.data.batches import MicroBatches, PadMicroBatch, has_targets_by_token, longer_sides
from pipeline.train.data.examples import Encoded, Parts, encode, read_examples
from pipeline.train.faults.guard import Guard
from pipeline.train.faults.halving import parts_of
from pipeline.train.faults.resuming import save_trained, train_or_resume
from pipeline.train.generation import generation_config
from pipeline.train.judging import MODEL, Judgement, judge
from pipeline.train.optimizer import optimizer_factory
from pipeline.train.per_example import PerExampleTrainer
from pipeline.train.private.trainer import PrivateTrainer
from pipeline.train.private.training import private_trainer, trained_exactly
from pipeline.train.starting import finished_model, save_finished, starting_model, trained_model
from pipeline.train.trainer import Follower, SequenceTrainer, TokenTrainer
from pipeline.train.watching.bar import Bar
from pipeline.train.watching.log import Log
from pipeline.train.watching.meter import Meter, flops_per_token, meter_of
from pipeline.train.watching.trackers import tracker_arguments, tracker_callbacks
from pipeline.train.watching.trainer import MeteredTrainer

Metrics = Mapping[str, Mapping[str, Any]]
FROM_SCRATCH = "from_scratch"
_RESULT = "result.json"
_TRAINED = "trained"


def finetune(
    name: str,
    settings: Finetune,
    start: str,
    held_out: float,
    seed: int,
    out: Artifact,
    watch: Watch = Watch(),  # noqa: B008 - frozen
    follower: Follower | None = None,
) -> Metrics:
    """Fine-tune for one task, predict the whole held-out part and score it.

    Args:
        name: of the task.
        settings: its data and training settings.
        start: the model to start from: a path, a Hub name or package:NAME.
        held_out: share of groups that is held out where the data brings no such part.
        seed: of split, order and initialisation.
        out: directory of the stage.
        watch: what is measured while it trains.
        follower: what follows the training of the model.

    Returns:
        Rows ``model``, ``from_scratch`` (the same architecture from random weights) and the baselines. With an
        adapter nothing is trained from scratch: random weights are no base for one, and all weights are not cheap.
    """
    bench, model = bench_for(name, settings, start, held_out, seed, out, watch)
    bench = replace(bench, follower=follower)
    task, parts = bench.task, bench.parts
    rows = {MODEL: bench.measure(MODEL, model)}
    if settings.from_scratch and settings.adapter.method == "none":
        set_seed(seed)
        fresh = getattr(transformers, task.class_for(model.config)).from_config(model.config, dtype="float32")
        if model.can_generate():
            fresh.generation_config = model.generation_config
        rows[FROM_SCRATCH] = bench.measure(FROM_SCRATCH, fresh)

    def judged() -> Judgement:
        said = {row: measured.predictions for row, measured in rows.items()}
        said |= task.baselines(parts.train, parts.held_out)
        return judge(task, parts.held_out, said, seed, parts.train)

    judgement = on_main(judged)
    for row, measured in rows.items():
        judgement.details[row] |= measured.settled
    on_main(lambda: _tell(judgement, out))
    costs = {row: measured.costs for row, measured in rows.items()}
    examples = {"examples": len(parts.held_out)}
    return {row: {**scores, **examples, **costs.get(row, {})} for row, scores in judgement.metrics.items()}


def bench_for(
    name: str, settings: Finetune, start: str, held_out: float, seed: int, out: Artifact, watch: Watch
) -> tuple[Bench, PreTrainedModel]:
    """The task's examples, encoded, and the model to start from, with the arguments of ``finetune``."""
    task = task_named(name, settings)
    parts = read_examples(task, held_out, seed)
    tokenizer = load_tokenizer(start)
    task.prepare_tokenizer(tokenizer)
    config = load_config(start)
    history.refuse_counts(config.model_type, start)
    check_writes(config, task.class_for(config), start)
    check_end_of_text(tokenizer, task.class_for(config), start)
    say(f"{name}: {len(parts.train)} examples to train on, {len(parts.held_out)} held out")
    set_seed(seed)  # a new head is drawn here, and what ran before in this process must not change it
    model = starting_model(task, tokenizer, start, parts.train)
    task.settings = settings = finetuning(settings, model.num_parameters(), len(parts.train))
    say(f"{name}: {settings.steps} steps of {settings.global_batch}, {settings.learning_rate:g} at most")
    # A step of a private training samples from all of them.
    needed = len(parts.train) if settings.privacy.epsilon else settings.steps * settings.global_batch
    encoded = encode(task, parts.train, tokenizer, model.config, needed, seed)
    return Bench(task, tokenizer, parts, encoded, seed, out, watch, start), model


@dataclass(frozen=True)
class Measured:
    """A trained model's predictions of the held-out part, and what it took to get there."""

    predictions: list[Prediction]
    costs: dict[str, Any]
    """Parameters, seconds and energy."""
    settled: dict[str, Any] = field(default_factory=dict)
    """By the task, on the validation part."""


@dataclass(frozen=True)
class Bench:
    """One task on one split: whatever is measured here is measured alike."""

    task: Task
    tokenizer: PreTrainedTokenizerBase
    parts: Parts
    encoded: Encoded
    seed: int
    out: Artifact
    watch: Watch
    start: str
    """Where the model is from."""
    follower: Follower | None = None
    """What follows the training of the model."""

    def measure(self, row: str, model: PreTrainedModel) -> Measured:
        """Train a model and predict the held-out part; what was done before an interruption stands."""
        checkpoints = self.out.checkpoints / row
        if (checkpoints / _RESULT).is_file():
            return Measured(**read_json(checkpoints / _RESULT))
        began = time.monotonic()
        trainable = trained_parameters(model)
        meter, private = self._train(row, model, checkpoints)

        def predict() -> Measured:
            trained = trained_model(self.task, self.tokenizer, self.start, checkpoints / _TRAINED)
            trained = on_device(trained)
            stock(trained).generation_config = generation_config(self.task, self.tokenizer, trained)
            settled = self.task.settle(trained, self.tokenizer, self.parts.validation)
            trained = finished_model(self.task, trained, self.start, checkpoints)
            predictions = self.task.predict(trained, self.tokenizer, self.parts.held_out)
            costs = {
                **private,
                "parameters": trained.num_parameters(),
                "trainable": trainable,
                "seconds": time.monotonic() - began,
                **meter.energy_spent(),
            }
            if row == MODEL:
                self._save(trained, predictions, checkpoints)
            measured = Measured(predictions, costs, settled)
            write_json(checkpoints / _RESULT, vars(measured))
            return measured

        measured = on_main(predict)
        work_ended()
        return measured

    def _train(self, row: str, model: PreTrainedModel, checkpoints: Path) -> tuple[Meter, dict[str, float]]:
        """Train and save the weights: whole, also where each process holds a part of them.

        Returns:
            What measured the training, and what it spent of its privacy, where it was private.
        """
        trainer = self.trainer(row, model, checkpoints)
        train_or_resume(trainer, checkpoints, self.watch.hung_after)
        save_trained(trainer, checkpoints / _TRAINED)
        # beside an adapter, which has none
        on_main(lambda: model.config.save_pretrained(checkpoints / _TRAINED))
        return trainer.meter, trainer.budget.metrics() if isinstance(trainer, PrivateTrainer) else {}

    def trainer(
        self, row: str, model: PreTrainedModel, checkpoints: Path, **arguments: Any
    ) -> MeteredTrainer:
        """A model before its first step; ``arguments`` are the Trainer's, beside what the settings say."""
        settings = self.task.settings
        is_private = bool(settings.privacy.epsilon) and row != FROM_SCRATCH
        if is_private:
            settings = trained_exactly(settings)
        features = self.encoded.features
        lengths = longer_sides(features)
        head = self.task.class_for(model.config)
        mean = round(sum(lengths) / len(lengths))
        per_token = flops_per_token(model.config, mean, head, settings.adapter)
        flops = (per_token or 0.0) * settings.steps * settings.global_batch * sum(lengths) / len(lengths)
        choice = choose_for_many_shapes(
            settings.precision,
            compiling(settings.compile, model.config.model_type),
            flops,
            settings.max_tokens,
        )
        say(f"{self.task.name} {row}: {choice}")
        if choice.attention == "eager":  # else transformers' choice for the family stands
            set_attention(model, "eager")
        use_physical_cores()
        set_seed(self.seed)
        made = training_arguments(
            settings,
            choice,
            checkpoints,
            self.seed,
            **tracker_arguments(self.watch.report_to, self.out, row),
            **arguments,
        )
        options: dict[str, Any] = {
            "args": made,
            "callbacks": [
                Log(self.out.path / LOG, {"run": row}),
                Bar(f"{self.task.name} {row}"),
                *tracker_callbacks(self.watch.report_to, self.out, checkpoints, row),
                *([self.follower(self.tokenizer)] if self.follower and row == MODEL else []),
            ],
            "meter": meter_of(per_token, choice.bfloat16, self.watch, checkpoints),
        }
        loss, pad = self.task.loss(model.config), PadMicroBatch(self.tokenizer, model)
        if is_private:
            return private_trainer(model, loss, settings, self.encoded, lengths, pad, checkpoints, options)
        most = settings.micro_batch * settings.max_tokens
        data = MicroBatches(features, lengths, settings.steps, settings.global_batch, most, self.seed)
        made.per_device_train_batch_size, made.gradient_accumulation_steps = 1, data.count
        trainer = trainer_for(
            model,
            features[0],
            loss,
            train_dataset=data,
            data_collator=pad,
            optimizer_cls_and_kwargs=optimizer_factory(settings),
            guard=Guard(settings.skipped_steps, settings.leap, self.out.path / SKIPPED / row),
            parts=parts_of(f"{self.task.name} {row}", checkpoints),
            **options,
        )
        if choice.bfloat16 and settings.adapter.method != "none":
            hold_in_bfloat16(model)  # now that the output layer has been tried, without autocast
        return trainer

    def _save(self, model: PreTrainedModel, predictions: Sequence[Prediction], checkpoints: Path) -> None:
        with self.out.writing() as beside:
            save_finished(self.task, model, checkpoints, beside)
            self.tokenizer.save_pretrained(beside)
            said = zip(self.parts.held_out, predictions, strict=True)
            write_json_lines(beside / PREDICTIONS, (e.with_prediction(p) for e, p in said))
            for name, content in self.task.files(self.parts.held_out, predictions).items():
                write_json(beside / name, content)


def _tell(judgement: Judgement, out: Artifact) -> None:
    """Write down what the table does not hold."""
    write_json(out.path / DETAILS, judgement.details)
    write_json_lines(out.path / WORST, judgement.worst)


def trainer_for(
    model: PreTrainedModel,
    feature: Mapping[str, Any],
    loss: Callable[..., Any] | None = None,
    **options: Any,
) -> MeteredTrainer:
    """The Trainer whose loss is the mean over the targets of a global batch, however it is divided.

    Args:
        model: with the task's head.
        feature: any one that is trained on.
        loss: what takes the place of the loss of a head with one target an example (``Task.loss``).
        options: what ``MeteredTrainer`` takes.
    """
    if has_targets_by_token(feature):
        if model.config.is_encoder_decoder:
            return SequenceTrainer(model, **options)
        return TokenTrainer(model, **options)
    return PerExampleTrainer(model=model, compute_loss_func=loss, **options)
