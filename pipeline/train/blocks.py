"""Token shards as blocks of one length, in an order that the seed alone decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from pipeline.errors import GroundupError
from pipeline.tokenizer.shards import open_shards


class TrainingBlocks(Dataset):
    """``blocks`` blocks of ``length`` tokens: pass after pass over the shards, each newly shuffled.

    The i-th block is the same in every process and after every resumption, so the order in which a
    sequential sampler walks through it is the order of training.
    """

    def __init__(self, directory: Path, length: int, blocks: int, seed: int) -> None:
        self.shards, self.length, self.blocks, self.seed = open_shards(directory), length, blocks, seed
        self.first = np.cumsum([0] + [len(shard) // length for shard in self.shards])
        if not self.first[-1]:
            raise GroundupError(
                str(directory),
                f"there are fewer than {length} tokens to train on",
                "give more text, or a smaller --model.context",
            )
        self.order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def __len__(self) -> int:
        return self.blocks

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        turn, position = divmod(index, int(self.first[-1]))
        if self.order[0] != turn:
            self.order = (turn, np.random.default_rng((self.seed, turn)).permutation(int(self.first[-1])))
        block = int(self.order[1][position])
        shard = int(np.searchsorted(self.first, block, side="right")) - 1
        start = (block - int(self.first[shard])) * self.length
        return _features(self.shards[shard][start : start + self.length])


class EvaluationBlocks(Dataset):
    """The first tokens of the shards in blocks that overlap by one token, so that each is predicted once.

    Fewer tokens than a block make one shorter block.
    """

    def __init__(self, directory: Path, length: int, tokens: int) -> None:
        ids = np.concatenate([shard[:tokens] for shard in open_shards(directory)])[:tokens]
        if len(ids) < 2:
            raise GroundupError(
                str(directory),
                "there is no held-out text to predict",
                "give more text, or a larger --held-out",
            )
        length = min(length, len(ids))
        stride = length - 1
        whole = (len(ids) - 1) // stride
        self.ids, self.length, self.stride, self.whole = ids[: whole * stride + 1], length, stride, whole

    def __len__(self) -> int:
        return self.whole

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return _features(self.ids[index * self.stride : index * self.stride + self.length])

    @property
    def predicted(self) -> list[int]:
        """The tokens that the loss is taken over."""
        return self.ids[1:].tolist()


def _features(ids: NDArray[Any]) -> dict[str, torch.Tensor]:
    tokens = torch.from_numpy(ids.astype(np.int64))
    return {"input_ids": tokens, "labels": tokens}
