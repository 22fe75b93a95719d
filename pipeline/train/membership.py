"""What an attacker would know of a fine-tuned model: the losses of examples, trained on or not, before and after."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pipeline.evaluate.membership import Attack, Side, attack
from pipeline.evaluate.predict import batches_by_length
from pipeline.recipe import Finetune
from pipeline.tasks.base import Example, Task
from pipeline.train.data.batches import Feature, PadMicroBatch, training_order
from pipeline.train.data.examples import Encoded
from pipeline.train.example_loss import TARGETS, example_losses
from pipeline.train.judging import alike

_MOST = 1000
"""Examples of either kind that are looked at."""
BEFORE, AFTER, CALIBRATED = "before", "after", "after_calibrated"


def trained_on(encoded: Encoded, settings: Finetune, seed: int) -> list[Example]:
    """The examples that steps were taken on; of a private training all that steps were sampled from."""
    if settings.privacy.epsilon:
        return encoded.examples
    order = training_order(len(encoded.features), settings.steps * settings.global_batch, seed)
    return [encoded.examples[number] for number in sorted({encoded.owners[place] for place in order})]


def as_many(members: Sequence[Example], others: Sequence[Example], seed: int) -> tuple[list[Example], ...]:
    """The same number of either, drawn by the seed."""
    count = min(len(members), len(others), _MOST)
    chance = random.Random(seed)
    return chance.sample(list(members), count), chance.sample(list(others), count)


def features_of(task: Task, example: Example, tokenizer: Any, config: Any) -> list[Feature]:
    """What is trained on of one example; nothing of one that does not fit."""
    columns = task.encode(example.fields, tokenizer, config)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@torch.no_grad()
def losses_of(task: Task, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[float]:
    """Each example's loss, in the mean over its features.

    Args:
        task: of the model.
        model: with the task's head.
        tokenizer: of the model.
        examples: that have ``features_of``.
    """
    model.eval()
    made = [features_of(task, example, tokenizer, model.config) for example in examples]
    features = [feature for several in made for feature in several]
    owners = [number for number, several in enumerate(made) for _ in several]
    pad, loss = PadMicroBatch(tokenizer, model), task.loss(model.config)
    sums, counts = np.zeros(len(examples)), np.zeros(len(examples))
    for places in batches_by_length([len(f["input_ids"]) for f in features], task.settings.evaluation_tokens):
        batch: Any = pad([[features[place] for place in places]])
        batch = batch.to(model.device)
        read = {name: value for name, value in batch.items() if name not in TARGETS}
        found = example_losses(model(**read), batch, model.config, loss).tolist()
        for place, nats in zip(places, found, strict=True):
            sums[owners[place]] += nats
            counts[owners[place]] += 1
    return (sums / counts).tolist()


def attacks(
    task: Task,
    members: Sequence[Example],
    others: Sequence[Example],
    before: Sequence[float],
    after: Sequence[float],
    seed: int,
) -> dict[str, Attack]:
    """Attacks by name, all on the same examples.

    ``before`` and ``after`` take an example with a small loss for one that was trained on (Yeom et al., 2018), by the
    starting model and by the fine-tuned one. ``after_calibrated`` takes one whose loss fell much from the one to the
    other: examples differ in how hard they are (Watson et al., 2022).

    Args:
        task: of the examples.
        members: that were trained on.
        others: that were not.
        before: losses of all by the starting model, those of the members first.
        after: losses by the fine-tuned model.
        seed: of the bootstrap samples.
    """
    scores = {
        BEFORE: -np.asarray(before),
        AFTER: -np.asarray(after),
        CALIBRATED: np.asarray(before) - np.asarray(after),
    }
    groups = alike(task, members), alike(task, others)
    return {name: _attack(found.tolist(), groups, len(members), seed) for name, found in scores.items()}


def _attack(
    scores: list[float], groups: tuple[Sequence[str], Sequence[str]], members: int, seed: int
) -> Attack:
    return attack(Side(scores[:members], groups[0]), Side(scores[members:], groups[1]), seed)
