"""Prediction in batches by tokens: however many go together, the same comes out."""

from __future__ import annotations

import random

import torch
from transformers import DataCollatorWithPadding

from pipeline.evaluate.predict import batches_by_length, forward_batches, generate_texts
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
    logits = []
    for tokens in (10_000, 8):
        found = torch.empty(len(prompts), 2)
        for batch, outputs in forward_batches(head, features, DataCollatorWithPadding(tokenizer), tokens):
            found[batch] = outputs.logits.float()
        logits.append(found)
    torch.testing.assert_close(*logits, rtol=0, atol=2e-2)  # in bfloat16 where the machine has it
