"""A small model of each family of history, the same at every call."""

from __future__ import annotations

import random

import numpy as np
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from pipeline.model.families import model_config
from pipeline.recipe import Model
from pipeline.train.counting import model_of

ENTRIES, LENGTH = 20, 12


def settings_of(family: str, **others: int | bool) -> Model:
    """Of a model of two layers of eight units, where the family has them."""
    return Model(**{"family": family, "depth": 2, "width": 8, "context": LENGTH, **others})  # type: ignore[arg-type]


def small(family: str, **others: int | bool) -> PreTrainedModel:
    """A causal language model in float64 that says something: its weights are far from nought, or it has counted."""
    if family == "ngram":
        return counted(texts(), **others)
    torch.manual_seed(0)
    config = model_config(settings_of(family, **others), ENTRIES, pad_token_id=0, eos_token_id=1)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float64).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.7)
    return model


def tokens(rows: int = 2, length: int = LENGTH) -> torch.Tensor:
    """Random ids, neither padding nor the end of text, ``(rows, length)``."""
    return torch.randint(2, ENTRIES, (rows, length), generator=torch.Generator().manual_seed(0))


def texts(documents: int = 12, entries: int = ENTRIES) -> list[list[int]]:
    """Documents of different lengths that repeat themselves, so that longer n-grams come more than once."""
    chance = random.Random(0)
    likely = [chance.choices(range(2, entries), k=4) for _ in range(entries)]
    found = []
    for number in range(documents):
        text = [chance.randrange(2, entries)]
        while len(text) < 3 + 3 * number:
            text.append(chance.choice(likely[text[-1]]))
        found.append(text)
    return found


def counted(documents: list[list[int]], entries: int = ENTRIES, **others: int | bool) -> PreTrainedModel:
    """An n-gram model of documents, in float64."""
    config = model_config(settings_of("ngram", **others), entries, pad_token_id=0, eos_token_id=1)
    symbols = np.array([symbol for document in documents for symbol in (entries, *document)])
    return model_of(symbols, config).double()
