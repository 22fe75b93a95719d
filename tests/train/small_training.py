"""A small training, in one process or under a launcher: the gradients of its steps, and where its weights end."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerFast, TrainerCallback

from pipeline.model.families import model_config
from pipeline.model.machine import Choice
from pipeline.recipe import Model, Optimizer, Pretrain
from pipeline.train.arguments import training_arguments
from pipeline.train.finetune import trainer_for
from pipeline.train.optimizer import optimizer_factory
from pipeline.train.trainer import CausalTrainer

GLOBAL_BATCH, LENGTH = 4, 12
PLAIN = Choice(bfloat16=False, compiles=False, attention="sdpa")
CAUSAL, CLASSES, SPANS = (
    f"AutoModelFor{head}" for head in ("CausalLM", "SequenceClassification", "QuestionAnswering")
)
TRAININGS = [("pretrain", CAUSAL), ("finetune", CAUSAL), ("finetune", CLASSES), ("finetune", SPANS)]
Gradients = list[dict[str, torch.Tensor]]
PADDED_BY_ZERO = PreTrainedTokenizerFast(
    tokenizer_object=Tokenizer(
        models.WordLevel({"~": 0, **{chr(160 + i): i for i in range(1, 64)}}, unk_token="~")
    ),
    pad_token="~",
)
"""A tokenizer of as many letters as the models have embeddings."""


def model_with(head: str) -> PreTrainedModel:
    """A small model in float32, the same at every call."""
    torch.manual_seed(0)
    config = model_config(Model(depth=1, width=64, context=LENGTH), 64, pad_token_id=0)
    return getattr(transformers, head).from_config(config, dtype=torch.float32)


def examples(head: str, count: int) -> list[dict[str, Any]]:
    """Sequences without padding; for a causal model, with one target to a whole sequence of them."""
    chance = torch.Generator().manual_seed(0)
    made: list[dict[str, Any]] = []
    for number in range(count):
        ids = torch.randint(1, 64, (LENGTH,), generator=chance).tolist()
        if head == CAUSAL:
            targets = 1 + 5 * number % (LENGTH - 1)
            made.append({"input_ids": ids, "labels": [-100] * (LENGTH - targets) + ids[LENGTH - targets :]})
        elif head == CLASSES:
            made.append({"input_ids": ids, "labels": ids[0] % 2})
        else:
            made.append({"input_ids": ids, "start_positions": ids[0] % 6, "end_positions": 6 + ids[1] % 6})
    return made


def large_batch_gradients(head: str, count: int, weights: Sequence[float] | None = None) -> Gradients:
    """By the definition: of the mean over all targets of a global batch, computed at once, without a Trainer.

    Args:
        head: of the model.
        count: of the examples.
        weights: of classes; the mean is over the examples all the same.
    """
    found, data = [], examples(head, count)
    for first in range(0, count, GLOBAL_BATCH):
        window = data[first : first + GLOBAL_BATCH]
        batch = {key: torch.tensor([example[key] for example in window]) for key in window[0]}
        model = model_with(head)
        outputs = model(input_ids=batch["input_ids"])
        if head == CAUSAL:
            loss = cross_entropy(outputs.logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten())
        elif head == CLASSES:
            weight = None if weights is None else torch.tensor(weights)
            loss = cross_entropy(outputs.logits, batch["labels"], weight, reduction="sum") / len(window)
        else:
            starts = cross_entropy(outputs.start_logits, batch["start_positions"])
            loss = (starts + cross_entropy(outputs.end_logits, batch["end_positions"])) / 2
        loss.backward()
        found.append({name: p.grad for name, p in model.named_parameters()})
    return found


def trained_gradients(
    stage: str,
    head: str,
    count: int,
    micro_batch: int,
    choice: Choice = PLAIN,
    loss: Any = None,
    change: Callable[[PreTrainedModel], object] = lambda _: None,
    **arguments: Any,
) -> Gradients:
    """What the stage's Trainer hands to the optimiser; the rate is so low that no weight moves.

    ``change`` is called with the model before it is trained.
    """
    steps = -(-count // GLOBAL_BATCH)
    settings = _settings(steps, micro_batch, "adamw", learning_rate=1e-30, gradient_clipping=1e9)
    seen = Gradient()
    data, model = examples(head, count), model_with(head)
    change(model)
    _train(stage, model, data, settings, seen, choice=choice, loss=loss, **arguments)
    return seen.steps


def trained_weights(optimizer: Optimizer, micro_batch: int) -> dict[str, torch.Tensor]:
    """Where three steps of an optimiser end."""
    model = model_with(CAUSAL)
    settings = _settings(3, micro_batch, optimizer)
    _train("pretrain", model, examples(CAUSAL, 3 * GLOBAL_BATCH), settings)
    return {name: weight.detach() for name, weight in model.named_parameters()}


def _settings(steps: int, micro_batch: int, optimizer: Optimizer, **others: Any) -> Pretrain:
    return Pretrain(
        steps=steps,
        global_batch=GLOBAL_BATCH,
        micro_batch=micro_batch,
        optimizer=optimizer,
        schedule="constant",
        warmup=0.0,
        **others,
    )


def _train(
    stage: str,
    model: PreTrainedModel,
    data: list[dict[str, Any]],
    settings: Pretrain,
    *callbacks: TrainerCallback,
    choice: Choice = PLAIN,
    loss: Any = None,
    **arguments: Any,
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        options: dict[str, Any] = {
            "args": training_arguments(
                settings, choice, Path(directory), seed=0, save_strategy="no", **arguments
            ),
            "train_dataset": data,
            "optimizer_cls_and_kwargs": optimizer_factory(settings),
            "callbacks": list(callbacks),
        }
        if stage == "pretrain":
            CausalTrainer(model, bits_per_nat=1.0, z_loss=0.0, **options).train()
        else:
            trainer_for(model, data[0], loss, **options).train()


class Gradient(TrainerCallback):
    """Copies of the gradients of every step."""

    def __init__(self) -> None:
        self.steps: Gradients = []

    def on_pre_optimizer_step(self, *_: Any, model: Any = None, **__: Any) -> None:
        self.steps.append({name: p.grad.clone() for name, p in model.named_parameters()})


if __name__ == "__main__":  # of each process: gradients by stage and head, weights by optimiser
    optimizers: tuple[Optimizer, ...] = ("muon", "adamw", "schedule-free")
    gradients = {training: trained_gradients(*training, count=10, micro_batch=1) for training in TRAININGS}
    weights = {name: trained_weights(name, micro_batch=1) for name in optimizers}
    torch.save((gradients, weights), f"{sys.argv[1]}/{os.environ['RANK']}.pt")
