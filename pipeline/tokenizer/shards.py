"""Token shards: the ids of many documents, end to end, in files that are read by memory map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHARD_TOKENS = 50_000_000
"""Tokens in one file: 100 MB of 16-bit ids."""


def write_shards(documents: Iterable[list[int]], directory: Path, end_of_text: int, vocabulary: int) -> int:
    """Write documents, each followed by ``end_of_text``, to ``directory/00000.npy`` and so on.

    Returns:
        Tokens written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    dtype = np.uint16 if vocabulary <= 2**16 else np.uint32
    total = number = size = 0
    waiting: list[NDArray[np.unsignedinteger]] = []
    for ids in documents:
        waiting.append(np.array([*ids, end_of_text], dtype=dtype))
        size += len(ids) + 1
        if size >= SHARD_TOKENS:
            np.save(directory / f"{number:05}.npy", np.concatenate(waiting))
            total, number, size, waiting = total + size, number + 1, 0, []
    if waiting:
        np.save(directory / f"{number:05}.npy", np.concatenate(waiting))
    return total + size


def open_shards(directory: Path) -> list[NDArray[np.unsignedinteger]]:
    """The shards of a directory as memory maps, in order."""
    return [np.load(file, mmap_mode="r") for file in sorted(directory.glob("*.npy"))]


def read_corpus(directory: Path) -> Iterator[str]:
    """The texts of a corpus part, ``corpus/train`` or ``corpus/validation``, in order."""
    import pyarrow.parquet

    for file in sorted(directory.glob("*.parquet")):
        for batch in pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=256, columns=["text"]):
            yield from batch.column("text").to_pylist()
