"""Prediction in batches by tokens: however many go together, the same comes out."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn
from transformers import DataCollatorWithPadding, PreTrainedModel

from pipeline.evaluate.predict import (
    batches_by_length,
    forward_batches,
    generate_texts,
    mean_logits,
    summed_losses,
)
from pipeline.train.memory import Living
from tests.train.small_training import CAUSAL, CLASSES, PADDED_BY_ZERO, model_with


def test_batches_hold_so_many_tokens_longest_first() -> None:
    chance = random.Random(0)
    lengths = [chance.randint(0, 30) for _ in range(200)] + [150]
    batches = list(batches_by_length(lengths, 128))
    assert sorted(i for batch in batches for i in batch) == list(range(201))
    padded = [len(batch) * max(lengths[i] for i in batch) for batch in batches]
    assert padded[0] == 150 and max(padded[1:]) <= 128
    assert [lengths[i] for batch in batches for i in batch] == sorted(lengths, reverse=True)
    assert len(batches) < 1.3 * sum(lengths) / 128


def test_predictions_do_not_change_with_the_batch() -> None:
    chance, tokenizer = random.Random(1), PADDED_BY_ZERO
    prompts = [[chance.randrange(1, 60) for _ in range(chance.randint(1, 5))] for _ in range(9)]
    model = model_with(CAUSAL)
    together, alone = (generate_texts(model, tokenizer, prompts, 5, tokens) for tokens in (10_000, 1))
    assert together == alone and any(alone)

    head = model_with(CLASSES)
    features = [{"input_ids": prompt} for prompt in prompts]
    logits = [_logits(head, features, tokens) for tokens in (10_000, 8)]
    torch.testing.assert_close(*logits, rtol=0, atol=2e-2)  # in bfloat16 where the machine has it


def _logits(head: PreTrainedModel, features: list[dict[str, list[int]]], tokens: int) -> torch.Tensor:
    found = torch.empty(len(features), 2)
    for batch, outputs in forward_batches(head, features, DataCollatorWithPadding(PADDED_BY_ZERO), tokens):
        found[batch] = outputs.logits.float()
    return found


def test_batches_are_halved_when_memory_runs_out(capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(2)
    prompts = [[chance.randrange(1, 60) for _ in range(chance.randint(1, 5))] for _ in range(9)]
    features = [{"input_ids": prompt} for prompt in prompts]
    model, head = model_with(CAUSAL), model_with(CLASSES)
    written, logits = (
        generate_texts(model, PADDED_BY_ZERO, prompts, 5, 10_000),
        _logits(head, features, 10_000),
    )

    def check(_: nn.Module, __: object, given: dict[str, torch.Tensor]) -> None:
        if len(given["input_ids"]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    for whole in (model, head):
        whole.register_forward_pre_hook(check, with_kwargs=True)
    assert generate_texts(model, PADDED_BY_ZERO, prompts, 5, 10_000) == written
    torch.testing.assert_close(_logits(head, features, 10_000), logits, rtol=0, atol=2e-2)
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"{what}: memory ran out with {rows} rows at a time; it goes on with {fewer}"
        for what in ("generation", "prediction")
        for rows, fewer in ((9, 5), (5, 3))
    ]


@pytest.mark.parametrize("head", [CAUSAL, CLASSES])
def test_memory_does_not_grow_with_the_examples(head: str) -> None:
    model = model_with(head)
    feature = {"input_ids": [1] * 8, "labels": [1] * 8}

    def taken(count: int) -> float:
        with Living(1.0) as living:
            if head == CAUSAL:
                summed_losses(model, PADDED_BY_ZERO, [feature] * count, 64)
            else:
                mean_logits(model, PADDED_BY_ZERO, [[{"input_ids": [1] * 8}]] * count, 64)
        return living.peak

    few, many = taken(40), taken(400)
    kept = 0 if head == CAUSAL else 16  # two logits in float32 an example, and their mean
    assert many - few <= kept * 360 + 1000
