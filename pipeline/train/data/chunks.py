"""Token shards as chunks of one length, for objectives whose model sees the whole of a row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from pipeline.tokenizer.shards import open_shards
from pipeline.train.data.blocks import Passes, beginning, too_few
from pipeline.train.data.packing import Integers

_TRAINING, _HELD_OUT = 1, 2
"""Last words of the seeds of what is drawn for a row, which those of the order do not have."""

Corrupt = Callable[[Integers, np.random.Generator], dict[str, Integers]]
"""A chunk of tokens to the features of its row, by what is drawn."""


class Chunks(Passes):
    """Chunks of ``size`` tokens in the order of training.

    Documents follow each other as in the shards, the end of text between them (RoBERTa's "full sentences"; Liu et al.,
    2019, section 4.2): a chunk begins and ends anywhere in one. What is left at a shard's end is in none.

    Args:
        directory: of the shards.
        size: tokens in a chunk.
        rows: chunks until the end of training.
        seed: of the order.

    Raises:
        GroundupError: when no shard holds a chunk.
    """

    def __init__(self, directory: Path, size: int, rows: int, seed: int) -> None:
        self.shards, self.size = open_shards(directory), size
        super().__init__((len(shard) // size for shard in self.shards), rows, seed)
        if not self.first[-1]:
            raise too_few(directory, size)

    def __getitem__(self, index: int) -> Integers:
        shard, place = self.place(index)
        start = place * self.size
        return np.asarray(self.shards[shard][start : start + self.size], np.int64)


class FirstChunks:
    """The first tokens of the shards in chunks; what is left at the end is in none.

    Args:
        directory: of the shards.
        size: tokens in a chunk, or all there are where they are fewer.
        tokens: at most so many.

    Raises:
        GroundupError: when there is nothing.
    """

    def __init__(self, directory: Path, size: int, tokens: int) -> None:
        self.ids, _ = beginning(directory, max(tokens, size))
        self.size = min(size, len(self.ids))

    def __len__(self) -> int:
        return len(self.ids) // self.size

    def __getitem__(self, index: int) -> Integers:
        start = index * self.size
        return np.asarray(self.ids[start : start + self.size], np.int64)


class CorruptedRows(Dataset):
    """Chunks as the rows that an objective makes of them.

    What is drawn for the i-th row follows from the seed and i alone: it is the same in every process, in whatever order
    rows are asked for, and after every resumption. A chunk that comes again in another pass is another row, and so
    newly corrupted (Liu et al., 2019, section 4.1); held-out rows are the same at every measurement.

    Args:
        chunks: of tokens.
        corrupt: what makes a row of one.
        seed: of the recipe.
    """

    def __init__(self, chunks: Chunks | FirstChunks, corrupt: Corrupt, seed: int) -> None:
        self.chunks, self.corrupt, self.seed = chunks, corrupt, seed
        self.part = _TRAINING if isinstance(chunks, Chunks) else _HELD_OUT

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        chance = np.random.default_rng((self.seed, index, self.part))
        row = self.corrupt(self.chunks[index], chance)
        return {name: torch.from_numpy(values) for name, values in row.items()}
