"""Token shards as rows of packed documents, in an order that the seed alone decides."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from pipeline.errors import GroundupError
from pipeline.tokenizer.shards import Shard, open_shards
from pipeline.train.data.packing import Integers, Pieces, Rows, best_fit, packed, pieces_of

NO_TARGET = -100
"""Label of a position from which nothing is predicted."""


class Passes(Dataset):
    """Rows until the end of training: pass after pass over those of the shards, each newly shuffled by the seed.

    Args:
        counts: rows of each shard.
        rows: rows until the end of training.
        seed: of the order.
    """

    def __init__(self, counts: Iterable[int], rows: int, seed: int) -> None:
        self.first, self.rows, self.seed = np.cumsum([0, *counts]), rows, seed
        self.order: tuple[int, Integers] = (-1, np.empty(0, np.int64))

    def __len__(self) -> int:
        return self.rows

    def place(self, index: int) -> tuple[int, int]:
        """The shard of the i-th row, and which of its rows it is."""
        turn, position = divmod(index, int(self.first[-1]))
        if self.order[0] != turn:
            self.order = (turn, np.random.default_rng((self.seed, turn)).permutation(int(self.first[-1])))
        row = int(self.order[1][position])
        shard = int(np.searchsorted(self.first, row, side="right")) - 1
        return shard, row - int(self.first[shard])


class TrainingRows(Passes):
    """Rows of ``length`` tokens.

    Documents share rows (pipeline/train/data/packing.py) and do not see each other: position ids start at 0 with each,
    which transformers' masks and variable-length kernels go by. In a pass every token is predicted once. The
    i-th row is the same in every process and after every resumption, so the order in which a sequential sampler
    walks through it is the order of training.

    Args:
        directory: of the shards.
        length: tokens in a row.
        rows: rows until the end of training.
        seed: of the order.
        padding: token at the end of rows that are not full.
        plans: directory for what is packed with what, which is computed once.

    Raises:
        GroundupError: when the shards hold less than one row.
    """

    def __init__(self, directory: Path, length: int, rows: int, seed: int, padding: int, plans: Path) -> None:
        self.shards, self.length, self.padding = open_shards(directory), length, padding
        if sum(len(shard) for shard in self.shards) < length:
            raise too_few(directory, length)
        self.plans = [packed(shard, length, plans) for shard in self.shards]
        super().__init__(map(len, self.plans), rows, seed)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        shard, place = self.place(index)
        return packed_row(self.shards[shard], self.plans[shard], place, self.length, self.padding)


class EvaluationRows(Dataset):
    """The first documents of the shards, packed like the training rows: each of their tokens is predicted once.

    Args:
        directory: of the shards.
        length: tokens in a row.
        tokens: how many are predicted, at most; the last document is cut there.
        padding: token at the end of rows that are not full.

    Raises:
        GroundupError: when there is nothing to predict.
    """

    def __init__(self, directory: Path, length: int, tokens: int, padding: int) -> None:
        self.length, self.padding = length, padding
        self.ids, ends = beginning(directory, tokens + 1)
        self.pieces = pieces_of(ends, length)
        self.rows = best_fit(self.pieces.lengths, length)
        self.members = np.split(np.argsort(self.rows, kind="stable"), np.cumsum(np.bincount(self.rows))[:-1])

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        pieces = [_cut(self.ids, self.pieces, int(i)) for i in self.members[index]]
        return features(pieces, self.length, self.padding)

    @property
    def documents(self) -> list[list[int]]:
        """The pieces, each by itself, as whoever loads the model reads a text."""
        return [_cut(self.ids, self.pieces, i).tolist() for i in range(len(self.pieces.lengths))]

    @property
    def predicted(self) -> list[int]:
        """The tokens that the loss is taken over, in their order."""
        return self.ids[1:].tolist()


def too_few(directory: Path, length: int) -> GroundupError:
    """What is said of shards that hold less than a row."""
    return GroundupError(
        str(directory),
        f"there are fewer than {length} tokens to train on",
        "give more text, or a smaller --model.context",
    )


def packed_row(shard: Shard, plan: Rows, row: int, length: int, padding: int) -> dict[str, torch.Tensor]:
    """One row of a shard's plan as ``features``."""
    begin, end = plan.first[row], plan.first[row + 1]
    starts, lengths = plan.pieces.starts[begin:end].tolist(), plan.pieces.lengths[begin:end].tolist()
    pieces = [shard[start : start + size] for start, size in zip(starts, lengths, strict=True)]
    return features(pieces, length, padding)


def features(pieces: Iterable[NDArray[Any]], length: int, padding: int) -> dict[str, torch.Tensor]:
    """One row: pieces end to end, then padding.

    Returns:
        ``input_ids``, ``labels`` and ``position_ids``, each ``(length,)``. A piece's first token is no target, and
        its position is 0; so it is with the padding.
    """
    ids = np.full(length, padding, np.int64)
    labels = np.full(length, NO_TARGET, np.int64)
    positions = np.arange(length)
    at = 0
    for piece in pieces:
        end = at + len(piece)
        ids[at:end] = piece
        labels[at + 1 : end] = piece[1:]
        positions[at:] -= positions[at]
        at = end
    if at < length:
        positions[at:] -= positions[at]
    return {
        "input_ids": torch.from_numpy(ids),
        "labels": torch.from_numpy(labels),
        "position_ids": torch.from_numpy(positions),
    }


def _cut(ids: NDArray[Any], pieces: Pieces, index: int) -> NDArray[Any]:
    start = int(pieces.starts[index])
    return ids[start : start + int(pieces.lengths[index])]


def beginning(directory: Path, tokens: int) -> tuple[NDArray[Any], Integers]:
    """The first tokens of all shards, and the position after each of their documents.

    Raises:
        GroundupError: when there is nothing to predict, which takes two of them.
    """
    ids: list[NDArray[Any]] = []
    ends: list[Integers] = []
    held = 0
    for shard in open_shards(directory):
        part = shard[: tokens - held]
        inside = np.asarray(shard.ends)
        inside = inside[inside < len(part)]
        ends.append(np.append(inside, len(part)).astype(np.int64) + held)
        ids.append(part)
        held += len(part)
        if held >= tokens:
            break
    if held < 2:
        raise GroundupError(
            str(directory), "there is no held-out text to predict", "give more text, or a larger --held-out"
        )
    return np.concatenate(ids), np.concatenate(ends)
