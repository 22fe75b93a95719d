"""Token shards: the ids of many documents, end to end, in files that are read by memory map.

A shard is ``NAME.npy``, the tokens of one file of the corpus in the smallest unsigned integers that hold them, each
document followed by the end of text; and beside it ``NAME.ends.npy``, 64-bit positions after each document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import replacing

Tokens = NDArray[np.unsignedinteger]
_ENDS = ".ends.npy"
_OPEN = 256
"""Shards mapped at the same time: a system allows about a thousand open files."""


def token_type(entries: int) -> np.dtype[Any]:
    """The smallest unsigned integers that number so many entries."""
    return np.min_scalar_type(entries - 1)


def write_shard(tokens: Tokens, ends: NDArray[np.int64], place: Path, beside: Path) -> None:
    """Write a shard and its document ends, the tokens last, so that a shard that is there is whole.

    Args:
        tokens: of the shard's documents, ``(tokens,)``.
        ends: position after each document's end of text, ``(documents,)``.
        place: ``NAME.npy``.
        beside: directory on the same file system for files that are not whole yet.
    """
    for values, target in ((ends, ends_of(place)), (tokens, place)):
        with replacing(target, beside) as file, file.open("wb") as handle:
            np.save(handle, values)


def ends_of(shard: Path) -> Path:
    """The file of a shard's document ends."""
    return shard.with_name(shard.stem + _ENDS)


@dataclass(frozen=True)
class Shard:
    """One file of tokens. It is mapped when it is read, and let go when many others have been read since."""

    path: Path

    def __len__(self) -> int:
        return len(_mapped(self.path))

    def __getitem__(self, part: slice) -> Tokens:
        return _mapped(self.path)[part]

    @property
    def ends(self) -> NDArray[np.int64]:
        """Position after each document."""
        return np.load(ends_of(self.path), mmap_mode="r")


@lru_cache(maxsize=_OPEN)
def _mapped(path: Path) -> Tokens:
    return np.load(path, mmap_mode="r")


def open_shards(directory: Path) -> list[Shard]:
    """The shards of a directory, in order."""
    return [Shard(file) for file in sorted(directory.glob("*.npy")) if not file.name.endswith(_ENDS)]


def corpus_files(directory: Path) -> list[Path]:
    """The files of a corpus part, ``corpus/train`` or ``corpus/validation``, in order."""
    return sorted(directory.glob("*.parquet"))


def read_texts(file: Path, documents: int = 256) -> Iterator[list[str]]:
    """The texts of one file of the corpus, so many at a time."""
    for batch in batches(open_texts(file), documents):
        yield batch.column("text").to_pylist()


def open_texts(file: Path) -> Any:
    """A file of the corpus (``pyarrow.parquet.ParquetFile``), read in pieces of a megabyte."""
    import pyarrow.parquet

    return pyarrow.parquet.ParquetFile(file, pre_buffer=False, buffer_size=2**20)


def batches(parquet: Any, documents: int, columns: Sequence[str] = ("text",)) -> Iterator[Any]:
    """Its rows, so many at a time, as ``pyarrow.RecordBatch``."""
    return parquet.iter_batches(batch_size=documents, columns=list(columns))
