"""Token shards as chunks of one length, for objectives whose model sees the whole of a row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from pipeline.errors import GroundupError
from pipeline.tokenizer.shards import open_shards
from pipeline.train.data.blocks import beginning
from pipeline.train.data.packing import Integers

_TRAINING, _HELD_OUT = 1, 2
"""Last words of the seeds of what is drawn for a row, which those of the order do not have."""

Corrupt = Callable[[Integers, np.random.Generator], dict[str, Integers]]
"""A chunk of tokens to the features of its row, by what is drawn."""


class Chunks:
    """``rows`` chunks of ``size`` tokens: pass after pass over the shards, each newly shuffled by the seed.

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
        self.shards, self.size, self.rows, self.seed = open_shards(directory), size, rows, seed
        self.first = np.cumsum([0] + [len(shard) // size for shard in self.shards])
        if not self.first[-1]:
            raise GroundupError(
                str(directory),
                f"there are fewer than {size} tokens to train on",
                "give more text, or a smaller --model.context",
            )
        self.order: tuple[int, Integers] = (-1, np.empty(0, np.int64))

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, index: int) -> Integers:
        turn, position = divmod(index, int(self.first[-1]))
        if self.order[0] != turn:
            self.order = (turn, np.random.default_rng((self.seed, turn)).permutation(int(self.first[-1])))
        chunk = int(self.order[1][position])
        shard = int(np.searchsorted(self.first, chunk, side="right")) - 1
        start = (chunk - int(self.first[shard])) * self.size
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
        if len(self.ids) < 2:
            raise GroundupError(
                str(directory),
                "there is no held-out text to predict",
                "give more text, or a larger --held-out",
            )
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
