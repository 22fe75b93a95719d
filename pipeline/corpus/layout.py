"""Where the corpus stage keeps what it has done so far, and how its work is divided.

Rows are taken in as *chunks* of raw text. Chunks are mixed with each other in groups, and each group is
written as *shards*: every shard takes from every chunk of its group. What has to be compared over the whole
corpus (hashes of documents, bands of sketches, hashes of lines) is divided into *buckets* by its leading bits,
each small enough for memory. So memory depends on the sizes below and not on the size of the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import read_json, replacing, write_json
from pipeline.evaluate.split import hash_of

CHUNK_CHARACTERS = 8_000_000
"""Raw text of a chunk: what one task cleans at a time."""
SHARD_CHARACTERS = 32_000_000
"""Raw text of a shard: one Parquet file of the corpus, before what is dropped."""
MIXED_CHUNKS = 64
"""Chunks whose documents are shuffled among each other."""
_BUCKET_CHUNKS = 8
_MOST_BUCKETS = 1024

Ids = NDArray[np.uint64]
"""Documents by number: the chunk in the upper 32 bits, the row in the lower."""


@dataclass(frozen=True)
class Chunk:
    """A file of raw rows and the source, as the recipe names it, that they are from."""

    file: str
    source: str


@dataclass(frozen=True)
class Plan:
    """All that the tasks must agree on."""

    chunks: tuple[Chunk, ...]
    few_texts: bool
    """Whether the text comes from so few places that its pieces, and not the texts, are held out."""
    seed: int

    @cached_property
    def groups(self) -> list[list[int]]:
        """Chunks by group: an order drawn by the seed, so that sources meet."""
        order = sorted(range(len(self.chunks)), key=lambda n: draw(self.seed, "chunk", n))
        return [order[i : i + MIXED_CHUNKS] for i in range(0, len(order), MIXED_CHUNKS)]

    def slots(self, group: int) -> int:
        """Shards that a group is written as."""
        return -(-len(self.groups[group]) * CHUNK_CHARACTERS // SHARD_CHARACTERS)

    @cached_property
    def shards(self) -> list[tuple[int, int]]:
        """Group and slot of every shard."""
        return [(group, slot) for group in range(len(self.groups)) for slot in range(self.slots(group))]

    def group_of(self, chunk: int) -> int:
        """The group that a chunk is mixed in."""
        return next(number for number, group in enumerate(self.groups) if chunk in group)

    @property
    def buckets(self) -> int:
        """Parts that hashes are compared in."""
        return min(_MOST_BUCKETS, -(-len(self.chunks) // _BUCKET_CHUNKS))


@dataclass(frozen=True)
class Layout:
    """Paths of the files on the way, below one directory."""

    root: Path

    def path(self, kind: str, number: int, suffix: str) -> Path:
        """File of one kind, for a chunk, a bucket or a shard."""
        return self.root / kind / f"{number:06}{suffix}"

    @property
    def output(self) -> Path:
        """Finished shards, before they are moved into the stage's directory."""
        return self.root / "output"

    @property
    def contaminants(self) -> Path:
        """Texts that nothing to train on may share a passage with, a JSON string a line."""
        return self.root / "contaminants.jsonl"

    def write_plan(self, plan: Plan) -> None:
        write_json(self.root / "plan.json", asdict(plan))

    def plan(self) -> Plan:
        values = read_json(self.root / "plan.json")
        return Plan(tuple(Chunk(**c) for c in values["chunks"]), values["few_texts"], values["seed"])

    def marks(self, step: str) -> Path:
        """Directory of the marks of a step's finished tasks."""
        return self.root / "marks" / step


def draw(seed: int, *name: object) -> int:
    """64 bits that depend on nothing but the seed and the name."""
    return hash_of(json.dumps([seed, *name]))


def save_index(file: Path, hashes: Sequence[int] | Ids, values: Sequence[int] | Ids) -> None:
    """Write hashes and what they belong to, [2, n] in order of the hashes, to be looked up by memory map."""
    keys = np.asarray(hashes, dtype=np.uint64)
    order = np.argsort(keys, kind="stable")
    save_array(file, np.stack([keys[order], np.asarray(values, dtype=np.uint64)[order]]))


def load_bucket(file: Path, bucket: int, buckets: int) -> Ids:
    """The part [2, m] of an index whose hashes fall into one of equally wide buckets."""
    index = np.load(file, mmap_mode="r")
    borders = [np.uint64((n << 64) // buckets) for n in (bucket, min(bucket + 1, buckets - 1))]
    low, high = np.searchsorted(index[0], borders)
    return np.array(index[:, low : None if bucket == buckets - 1 else high])


def between(file: Path, low: int, high: int) -> Ids:
    """The columns of a sorted [k, n] array of document numbers (and more) that belong to chunks from low to high."""
    columns = np.load(file, mmap_mode="r")
    first, last = np.searchsorted(columns[0], [np.uint64(chunk << 32) for chunk in (low, high)])
    return np.array(columns[:, first:last])


class Settled:
    """What all buckets have found of one kind: columns of 64 bits in files, in order of the documents."""

    def __init__(self, layout: Layout, kind: str, columns: int) -> None:
        self.files = [layout.root / "settled" / f"{kind}-{number}.bin" for number in range(columns)]
        self.buckets = layout.root / kind

    def write(self, plan: Plan) -> None:
        """Bring together what the buckets have found, some chunks at a time."""
        found = sorted(self.buckets.glob("*.npy"))
        with ExitStack() as stack:
            outs = [stack.enter_context(replacing(file)).open("wb") for file in self.files]
            for low in range(0, len(plan.chunks), MIXED_CHUNKS):
                parts = [between(file, low, low + MIXED_CHUNKS) for file in found]
                for out, column in zip(outs, np.unique(np.concatenate(parts, axis=1), axis=1), strict=True):
                    column.tofile(out)
            for out in outs:
                out.close()

    def of_chunk(self, chunk: int) -> list[Ids]:
        """The columns of one chunk's documents."""
        columns = self._columns()
        low, high = np.searchsorted(columns[0], [np.uint64(n << 32) for n in (chunk, chunk + 1)])
        return [np.array(column[low:high]) for column in columns]

    def holds(self, documents: Ids) -> NDArray[np.bool_]:
        """Whether each document is among them."""
        known = self._columns()[0]
        if not len(known):
            return np.zeros(len(documents), dtype=bool)
        places = np.minimum(np.searchsorted(known, documents), len(known) - 1)
        return known[places] == documents

    def _columns(self) -> list[Ids]:
        return [
            np.memmap(file, np.uint64, "r") if file.stat().st_size else np.empty(0, np.uint64)
            for file in self.files
        ]


def numbered(chunk: int, rows: Ids | Iterable[int]) -> Ids:
    """Numbers of a chunk's documents."""
    return np.uint64(chunk << 32) + np.asarray(rows, dtype=np.uint64)


def rows_of(documents: Ids) -> NDArray[np.int64]:
    """The rows of documents in their chunks: the other half of ``numbered``."""
    return (documents & np.uint64(2**32 - 1)).astype(np.int64)


def save_array(file: Path, array: NDArray[Any]) -> None:
    """Write an array beside and rename."""
    with replacing(file) as beside, beside.open("wb") as handle:
        np.save(handle, array)


def read_lines(file: Path) -> list[Any]:
    """The values of a file of JSON lines."""
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def tallied(layout: Layout, step: str, tasks: int) -> Iterable[Mapping[str, Any]]:
    """What the tasks of a step have counted, in their order."""
    return (read_json(layout.path(f"{step}-tally", task, ".json")) for task in range(tasks))
