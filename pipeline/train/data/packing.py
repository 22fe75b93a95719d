"""Documents packed into rows of one length: best-fit, with almost no padding and few documents cut."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import replacing
from pipeline.tokenizer.shards import Shard

Integers = NDArray[np.int64]

MOST_PADDING = 0.01
"""Share of all positions that may be padding; where whole pieces leave more, some are cut to fill the gaps."""
_SMALLEST_GAP = 8
"""Gaps of fewer tokens stay padding: a piece of so few tokens teaches little."""


@dataclass(frozen=True)
class Pieces:
    """Runs of a shard's tokens: ``starts[i]`` up to ``starts[i] + lengths[i]``. All but the first are predicted."""

    starts: Integers
    lengths: Integers


@dataclass(frozen=True)
class Rows:
    """Pieces in the order of their rows: row ``i`` holds those from ``first[i]`` up to ``first[i + 1]``."""

    pieces: Pieces
    first: Integers

    def __len__(self) -> int:
        return len(self.first) - 1


def pieces_of(ends: Integers, longest: int) -> Pieces:
    """Documents as pieces of at most ``longest`` tokens.

    A document begins with the end of text before it, so that its own first token is predicted too (not so the
    shard's first). Pieces of a longer document overlap by one token, for the same reason.

    Args:
        ends: position after each document, ``(documents,)``.
        longest: tokens in a row, at least 2.
    """
    begins = np.concatenate([[0], ends[:-1] - 1]).astype(np.int64)
    predicted = ends - begins - 1
    counts = -(-predicted // (longest - 1))
    document = np.repeat(np.arange(len(ends)), counts)
    number = np.arange(len(document)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = begins[document] + number * (longest - 1)
    return Pieces(starts, np.minimum(longest, ends[document] - starts))


def best_fit(lengths: Integers, capacity: int) -> Integers:
    """The row of each piece: best-fit decreasing (Johnson, 1973; of language models, Ding et al., 2024).

    The longest pieces come first, each into the fullest row that still has room for it. Pieces of equal length
    are placed together, so the work grows with the number of different lengths, not of pieces.

    Args:
        lengths: of the pieces, ``(pieces,)``, each at most ``capacity``.
        capacity: tokens in a row.

    Returns:
        ``(pieces,)``: rows counted from 0.
    """
    rows = np.empty(len(lengths), np.int64)
    order = np.argsort(-lengths, kind="stable")
    sizes, starts = np.unique(-lengths[order], return_index=True)
    bounds = [*starts.tolist(), len(order)]
    room: dict[int, list[Integers]] = {}  # free tokens → rows that have so many
    made = 0
    for size, begin, end in zip((-sizes).tolist(), bounds[:-1], bounds[1:], strict=True):
        waiting = order[begin:end]
        for free in sorted(space for space in room if space >= size):
            if not len(waiting):
                break
            candidates = np.concatenate(room.pop(free))
            waiting = _place(waiting, candidates, free, size, rows, room)
        if len(waiting):
            fresh = np.arange(made, made + -(-len(waiting) // (capacity // size)))
            made += len(fresh)
            _place(waiting, fresh, capacity, size, rows, room)
    return rows


def _place(
    waiting: Integers,
    candidates: Integers,
    free: int,
    size: int,
    rows: Integers,
    room: dict[int, list[Integers]],
) -> Integers:
    """Fill rows that have ``free`` tokens with pieces of one size, one row after another; those left over."""
    each = free // size
    placed, left = waiting[: each * len(candidates)], waiting[each * len(candidates) :]
    rows[placed] = np.repeat(candidates, each)[: len(placed)]
    full, rest = divmod(len(placed), each)
    for part, used in (
        (candidates[:full], each * size),
        (candidates[full : full + bool(rest)], rest * size),
        (candidates[full + bool(rest) :], 0),
    ):
        if len(part) and free > used:
            room.setdefault(free - used, []).append(part)
    return left


def pack(ends: Integers, capacity: int) -> Rows:
    """Pack a shard's documents so that at most ``MOST_PADDING`` of all positions are padding.

    Args:
        ends: position after each document, ``(documents,)``.
        capacity: tokens in a row.
    """
    pieces = pieces_of(ends, capacity)
    rows = best_fit(pieces.lengths, capacity)
    used = np.bincount(rows, weights=pieces.lengths).astype(np.int64)
    dissolved = _to_dissolve(used, capacity)
    if dissolved.any():
        pieces, rows = _pour(pieces, rows, used, dissolved, capacity)
    order = np.lexsort((pieces.starts, rows))
    _, first = np.unique(rows[order], return_index=True)
    ordered = Pieces(pieces.starts[order], pieces.lengths[order])
    return Rows(ordered, np.append(first, len(order)).astype(np.int64))


def _to_dissolve(used: Integers, capacity: int) -> NDArray[np.bool_]:
    """The emptiest rows, as many as must be cut up to fill the others' gaps; none where little is padding."""
    order = np.argsort(used, kind="stable")
    held = np.cumsum(used[order])
    kept = len(used) - np.arange(1, len(used) + 1)  # rows when so many of the emptiest are dissolved
    gaps = kept * capacity - (held[-1] - held)
    fits = held <= gaps
    padding = 1 - held[-1] / (np.maximum(kept, 1) * capacity)
    number = 0
    if 1 - held[-1] / (len(used) * capacity) > MOST_PADDING and fits.any():
        enough = np.flatnonzero(fits & (padding <= MOST_PADDING))
        number = int(enough[0] if len(enough) else np.flatnonzero(fits)[-1]) + 1
    dissolved = np.zeros(len(used), bool)
    dissolved[order[:number]] = True
    return dissolved


def _pour(
    pieces: Pieces, rows: Integers, used: Integers, dissolved: NDArray[np.bool_], capacity: int
) -> tuple[Pieces, Integers]:
    """Cut the pieces of dissolved rows where a gap of another row ends; what no gap holds gets rows of its own."""
    loose = dissolved[rows]
    starts, lengths, places = (list(part[~loose]) for part in (pieces.starts, pieces.lengths, rows))
    gaps = [
        (int(capacity - used[row]), int(row))
        for row in np.argsort(used, kind="stable")[::-1]
        if not dissolved[row] and capacity - used[row] >= _SMALLEST_GAP
    ]
    fresh = len(used)
    space, row = 0, 0
    for start, length in zip(pieces.starts[loose].tolist(), pieces.lengths[loose].tolist(), strict=True):
        while length > 1:
            if space < 2:
                space, row = gaps.pop() if gaps else (capacity, fresh)
                fresh += row == fresh
            taken = min(space, length)
            starts.append(start)
            lengths.append(taken)
            places.append(row)
            space -= taken
            start, length = start + taken - 1, length - taken + 1
    return Pieces(np.array(starts), np.array(lengths)), np.array(places)


def packed(shard: Shard, capacity: int, directory: Path) -> Rows:
    """A shard's rows, mapped from ``directory``, where they are written when they are wanted for the first time."""
    files = [directory / f"{shard.path.stem}.{capacity}.{part}.npy" for part in ("starts", "lengths", "rows")]
    if not files[-1].is_file():
        rows = pack(np.asarray(shard.ends), capacity)
        directory.mkdir(parents=True, exist_ok=True)
        for file, values in zip(files, (rows.pieces.starts, rows.pieces.lengths, rows.first), strict=True):
            with replacing(file, directory) as beside, beside.open("wb") as handle:
                np.save(handle, values)
    starts, lengths, first = (np.load(file, mmap_mode="r") for file in files)
    return Rows(Pieces(starts, lengths), first)
