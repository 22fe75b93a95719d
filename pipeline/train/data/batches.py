"""Fine-tuning's global batches in micro-batches of like length, which hardly need padding."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import DataCollatorWithPadding, PreTrainedModel, PreTrainedTokenizerBase

from pipeline.evaluate.targets import PadPairs, PadTargets
from pipeline.processes import world_size
from pipeline.train.data.packing import Integers

Feature = dict[str, Any]

_PASS_OF_A_THREAD, _PASS_ON_GPU = 80, 1024
"""Tokens that take as long as what a forward and backward pass costs besides them.

That is starting operations, casting weights, adding gradients. With more threads tokens take less long. Measured on a
CPU with the quickstart's model (13 ms beside 0.08 ms a token, two threads); on a GPU what data sheets suggest.
"""
_TRIED = 64
"""Steps that the number of micro-batches is chosen by."""
_MORE = 16
"""Micro-batches beyond the fewest that are tried."""


def training_order(features: int, examples: int, seed: int) -> list[int]:
    """Positions of ``examples`` examples among the features: pass after pass, each newly shuffled by the seed."""
    generator = random.Random(seed)
    order: list[int] = []
    while len(order) < examples:
        turn = list(range(features))
        generator.shuffle(turn)
        order += turn
    return order[:examples]


def fewest(lengths: Sequence[int], most: int) -> int:
    """The fewest micro-batches of at most ``most`` tokens, padding included, for lengths that ascend."""
    end, count = len(lengths), 0
    while end:
        end -= max(1, min(end, most // max(1, lengths[end - 1])))
        count += 1
    return count


def divide(lengths: Sequence[int], most: int, parts: int) -> tuple[Integers, Integers]:
    """The least that can be computed on in every number of micro-batches, by dynamic programming.

    Args:
        lengths: in tokens, ascending.
        most: tokens that a micro-batch may hold, padding included; a longer sequence has one of its own.
        parts: the largest number of micro-batches.

    Returns:
        Of the first ``i`` sequences in ``k`` micro-batches, both ``(parts + 1, sequences + 1)``: the padded tokens
        (a number beyond any where it cannot be), and where the last micro-batch begins.
    """
    impossible = np.iinfo(np.int64).max // 2
    tokens = np.full((parts + 1, len(lengths) + 1), impossible, np.int64)
    begins = np.zeros_like(tokens)
    tokens[0, 0] = 0
    for end, longest in enumerate(lengths, start=1):
        first = max(0, min(end - 1, end - most // max(1, longest)))
        options = tokens[:-1, first:end] + np.arange(end - first, 0, -1) * longest
        best = options.argmin(1)
        tokens[1:, end] = np.minimum(options[np.arange(parts), best], impossible)
        begins[1:, end] = first + best
    return tokens, begins


def parts_of(begins: Integers, parts: int) -> list[range]:
    """Positions in each of ``parts`` micro-batches, by ``divide``'s second result."""
    found, end = [], begins.shape[1] - 1
    for part in range(parts, 0, -1):
        found.append(range(int(begins[part, end]), end))
        end = int(begins[part, end])
    return found[::-1]


class MicroBatches(Dataset):
    """What goes through the model together: lists of features, ``count`` for each step and process.

    A global batch is drawn at random. Sorted by length, every so many neighbours go one to each process, and each
    process divides its own alike, so that all have micro-batches of nearly the same shapes. There are as many as
    cost least, counting padded tokens and passes. Which examples a step has depends on the seed alone; the order in
    which a sequential sampler walks through the items is that in which Accelerate hands them to the processes.

    Args:
        features: what the collator takes.
        lengths: of the features, in tokens.
        steps: optimiser steps.
        global_batch: examples in a step; a multiple of the processes.
        most: tokens that a micro-batch may hold, padding included.
        seed: of the order.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        lengths: Sequence[int],
        steps: int,
        global_batch: int,
        most: int,
        seed: int,
    ) -> None:
        self.features, self.lengths = features, lengths
        self.steps, self.global_batch, self.most = steps, global_batch, most
        self.order = training_order(len(lengths), steps * global_batch, seed)
        self.processes = world_size()
        self.count = self._cheapest()
        self._divided = lru_cache(maxsize=2)(self._divide)

    def __len__(self) -> int:
        return self.steps * self.count * self.processes

    def __getitem__(self, index: int) -> list[Feature]:
        index, process = divmod(index, self.processes)
        step, number = divmod(index, self.count)
        examples = self._examples(step)
        # Of each group of neighbours another one, lest one process had the longest of all.
        mine = (i * self.processes + (process + i) % self.processes for i in self._divided(step)[number])
        return [self.features[examples[i]] for i in mine]

    def _examples(self, step: int) -> list[int]:
        """Positions of the step's features, shortest first."""
        chosen = self.order[step * self.global_batch : (step + 1) * self.global_batch]
        return sorted(chosen, key=lambda i: self.lengths[i])

    def _longest(self, step: int) -> list[int]:
        """The longest of the neighbours that go one to each process, ascending."""
        return [self.lengths[i] for i in self._examples(step)[self.processes - 1 :: self.processes]]

    def _divide(self, step: int) -> list[range]:
        _, begins = divide(self._longest(step), self.most, self.count)
        return parts_of(begins, self.count)

    def _cheapest(self) -> int:
        least = max(fewest(self._longest(step), self.most) for step in range(self.steps))
        largest = min(self.global_batch // self.processes, least + _MORE)
        tried = range(0, self.steps, max(1, self.steps // _TRIED))
        tokens = sum(
            divide(self._longest(step), self.most, largest)[0][:, -1].astype(float) for step in tried
        )
        each = _PASS_ON_GPU if torch.cuda.is_available() else _PASS_OF_A_THREAD * torch.get_num_threads()
        passes = each * len(tried) * np.arange(largest + 1)
        return least + int(np.argmin((tokens + passes)[least:]))


class PadMicroBatch:
    """Collate an item of ``MicroBatches``, padded to its longest; logits of targets alone where each token has one."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel | None = None) -> None:
        self.examples = DataCollatorWithPadding(tokenizer)
        self.tokens: PadTargets | PadPairs = PadTargets(tokenizer)
        if model is not None and model.config.is_encoder_decoder:
            self.tokens = PadPairs(tokenizer, model)

    def __call__(self, items: Iterable[list[Feature]]) -> Mapping[str, Any]:
        features = [feature for item in items for feature in item]
        return self.tokens(features) if has_targets_by_token(features[0]) else self.examples(features)


def longer_sides(features: Any) -> list[int]:
    """Tokens of each feature: of its input, or of its targets where an encoder-decoder has more of these.

    Args:
        features: a ``datasets.Dataset``.
    """
    read = [len(ids) for ids in features["input_ids"]]
    if not has_targets_by_token(features[0]):
        return read
    return [max(count, len(labels)) for count, labels in zip(read, features["labels"], strict=True)]


def has_targets_by_token(feature: Mapping[str, Any]) -> bool:
    """Whether the loss is over tokens, which have numbers, not over examples, which may have several fractions."""
    labels = feature.get("labels")
    return isinstance(labels, list) and not any(isinstance(label, float) for label in labels)
