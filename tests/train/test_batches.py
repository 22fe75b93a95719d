"""Fine-tuning's micro-batches: the whole batch's gradient, hardly any padding, for any number of processes."""

from __future__ import annotations

import random
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.evaluate.targets import PadTargets
from pipeline.recipe import Finetune
from pipeline.train.arguments import training_arguments
from pipeline.train.data import batches
from pipeline.train.data.batches import MicroBatches, PadMicroBatch, training_order
from pipeline.train.finetune import trainer_for
from pipeline.train.optimizer import optimizer_factory
from tests.train.small_training import (
    CAUSAL,
    CLASSES,
    LENGTH,
    PADDED_BY_ZERO,
    PLAIN,
    SPANS,
    Gradient,
    model_with,
)

STEPS, GLOBAL_BATCH = 3, 8


def _ragged(head: str, count: int) -> list[dict[str, Any]]:
    """Examples of 3 to 12 tokens; for a causal model, with one target to all but the first."""
    chance = random.Random(0)
    made: list[dict[str, Any]] = []
    for _ in range(count):
        ids = [chance.randrange(1, 64) for _ in range(chance.randint(3, LENGTH))]
        if head == CAUSAL:
            asked = chance.randrange(1, len(ids))
            made.append({"input_ids": ids, "labels": [-100] * asked + ids[asked:]})
        elif head == CLASSES:
            made.append({"input_ids": ids, "labels": ids[0] % 2})
        else:
            made.append({"input_ids": ids, "start_positions": ids[0] % 3, "end_positions": len(ids) - 1})
    return made


def _by_definition(head: str, window: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Gradient of the mean over all targets, each example by itself and without padding, no Trainer in between."""
    model = model_with(head)
    total, targets = torch.zeros(()), 0
    for example in window:
        count = sum(label != -100 for label in example["labels"][1:]) if head == CAUSAL else 1
        total = total + count * model(**{name: torch.tensor([value]) for name, value in example.items()}).loss
        targets += count
    (total / targets).backward()
    return {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize("head", [CAUSAL, CLASSES, SPANS])
def test_micro_batches_have_the_gradient_of_the_whole_batch(head: str, tmp_path: Path) -> None:
    features = _ragged(head, 20)
    lengths = [len(feature["input_ids"]) for feature in features]
    data = MicroBatches(features, lengths, STEPS, GLOBAL_BATCH, most=3 * LENGTH, seed=0)
    assert data.count > 1 and len({len(data[i]) for i in range(len(data))}) > 1
    settings = Finetune(
        steps=STEPS, global_batch=GLOBAL_BATCH, learning_rate=1e-30, gradient_clipping=1e9, warmup=0.0
    )
    arguments = training_arguments(settings, PLAIN, tmp_path, seed=0, save_strategy="no")
    arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps = 1, data.count
    seen = Gradient()
    trainer_for(
        model_with(head),
        features[0],
        args=arguments,
        train_dataset=data,
        data_collator=PadMicroBatch(PADDED_BY_ZERO),
        optimizer_cls_and_kwargs=optimizer_factory(settings),
        callbacks=[seen],
    ).train()
    assert len(seen.steps) == STEPS
    order = training_order(len(features), STEPS * GLOBAL_BATCH, seed=0)
    for step, found in enumerate(seen.steps):
        window = [features[i] for i in order[step * GLOBAL_BATCH : (step + 1) * GLOBAL_BATCH]]
        wanted = _by_definition(head, window)
        norm = sum(float(part.square().sum()) for part in wanted.values()) ** 0.5
        for name, part in wanted.items():
            torch.testing.assert_close(found[name], part, rtol=0, atol=1e-6 * norm)


def test_logits_are_made_where_there_are_targets_alone() -> None:
    labels = [[-100, -100, 5, 6], [-100, 7, 8]]
    batch = PadTargets(PADDED_BY_ZERO)(
        [{"input_ids": [1] * len(row), "labels": row} for row in labels],
    )
    assert batch["logits_to_keep"].tolist() == [0, 1, 2, 3]
    late = PadTargets(PADDED_BY_ZERO)([{"input_ids": [1] * 9, "labels": [-100] * 8 + [5]}])
    assert late["logits_to_keep"].tolist() == [7, 8] and late["labels"].tolist() == [[-100, 5]]


def _skewed(count: int) -> list[int]:
    chance = random.Random(0)
    return [min(512, max(4, round(chance.lognormvariate(4.5, 0.8)))) for _ in range(count)]


def _padding(items: list[list[Any]]) -> float:
    return 1 - sum(map(sum, items)) / sum(len(item) * max(item) for item in items)


@pytest.mark.parametrize(("tokens_a_pass", "most_padding"), [(24, 0.05), (80, 0.12)])
def test_little_is_padding_and_the_budget_holds(
    tokens_a_pass: int, most_padding: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_PASS_OF_A_THREAD", tokens_a_pass)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    lengths = _skewed(1600)
    most = 4 * 512
    data = MicroBatches(lengths, lengths, steps=50, global_batch=64, most=most, seed=0)  # type: ignore[arg-type]
    items: list[list[Any]] = [data[i] for i in range(len(data))]
    as_drawn = [*chain(*items)]
    random.Random(0).shuffle(as_drawn)
    size = len(as_drawn) // len(items)
    unsorted = [as_drawn[start : start + size] for start in range(0, len(as_drawn), size)]
    assert _padding(items) <= most_padding < 0.36 < _padding(unsorted)
    assert all(len(item) * max(item) <= most for item in items)
    assert Counter(length for item in items for length in item) == Counter(lengths * 2)


def test_steps_depend_on_the_seed_alone_whatever_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = _skewed(300)
    numbers: Any = list(range(300))

    def steps(processes: int, seed: int) -> list[list[list[int]]]:
        """Examples of each process in each step."""
        monkeypatch.setenv("WORLD_SIZE", str(processes))
        data = MicroBatches(numbers, lengths, steps=20, global_batch=24, most=10**6, seed=seed)
        items: list[Any] = [data[i] for i in range(len(data))]
        size = data.count * processes
        windows = [items[start : start + size] for start in range(0, len(items), size)]
        return [[[*chain(*window[rank::processes])] for rank in range(processes)] for window in windows]

    one, two = steps(1, seed=3), steps(2, seed=3)
    assert [sorted(a + b) for a, b in two] == [sorted(alone) for (alone,) in one]
    assert all(len(a) == len(b) == 12 for a, b in two)
    loads = [[sum(lengths[i] for i in share) for share in step] for step in two]
    assert all(max(load) < 1.2 * min(load) for load in loads)
    assert one == steps(1, seed=3) != steps(1, seed=4)


def test_the_loss_of_a_conversation_is_the_same_whatever_its_neighbours() -> None:
    features = _ragged(CAUSAL, 9)
    collate, model = PadMicroBatch(PADDED_BY_ZERO), model_with(CAUSAL)

    def loss(neighbours: list[dict[str, Any]]) -> torch.Tensor:
        batch = dict(collate([[features[0], *neighbours]]))
        labels = batch.pop("labels")
        logits = model(**batch).logits[0, :-1]
        return torch.nn.functional.cross_entropy(logits, labels[0, 1:], reduction="sum")

    alone = loss([])
    for neighbours in (features[1:3], features[3:9], features[:1]):
        assert loss(neighbours).item() == pytest.approx(alone.item(), rel=1e-6)
