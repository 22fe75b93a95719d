"""Documents, and long lines, that the corpus holds more than once: one bucket of hashes at a time.

Of documents that are equal or near, the first stays. No two documents that stay are near: whatever shares a
band with an earlier one and agrees with it is dropped, and what agrees with none of those compared so far is
compared with the others that share its band.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.corpus.layout import Ids, Layout, Settled, load_bucket, numbered, rows_of, save_array
from pipeline.corpus.signatures import Sketches, Sketching
from pipeline.executors import Step
from pipeline.recipe import Corpus

_PAIRS = 20_000
"""Pairs of sketches compared at a time."""

EXACT, NEAR = "exact_duplicates", "near_duplicates"
BOILERPLATE, PASSAGES = "boilerplate", "repeated_passages"


class FindDuplicates(Step):
    """Task n finds the documents to drop among those whose hashes fall into bucket n."""

    def __init__(self, layout: Layout, settings: Corpus) -> None:
        super().__init__()
        self.layout, self.settings = layout, settings

    def work(self, task: int) -> None:
        """Write the numbers of exact and of near duplicates, in order."""
        hashes, documents = _gathered(self.layout, "exact", task)
        save_array(self.layout.path(EXACT, task, ".npy"), repeated(hashes, documents)[None])
        near = np.empty(0, np.uint64)
        if self.settings.near_duplicates:
            hashes, documents = _gathered(self.layout, "bands", task)
            threshold = sketching(self.settings).threshold
            near = near_duplicates(hashes, documents, _SketchFiles(self.layout), threshold)
        save_array(self.layout.path(NEAR, task, ".npy"), near[None])


class FindRepeatedLines(Step):
    """Task n finds the lines to cut out among those whose hashes fall into bucket n."""

    def __init__(self, layout: Layout, settings: Corpus) -> None:
        super().__init__()
        self.layout, self.settings = layout, settings

    def work(self, task: int) -> None:
        """Write documents and line numbers, [2, n] in order of the documents, of both kinds of repetition."""
        hashes, lines, documents = _gathered_lines(self.layout, task)
        stays = ~np.any([found.holds(documents) for found in duplicates(self.layout).values()], axis=0)
        hashes, lines, documents = hashes[stays], lines[stays], documents[stays]
        numbers, long = lines & np.uint64(2**31 - 1), (lines & np.uint64(2**31)).astype(bool)
        common, again = repeated_lines(hashes, documents, self.settings.boilerplate)
        if not self.settings.boilerplate:
            common[:] = False
        again &= long & ~common
        for kind, chosen in ((BOILERPLATE, common), (PASSAGES, again)):
            order = np.lexsort((numbers[chosen], documents[chosen]))
            found = np.stack([documents[chosen][order], numbers[chosen][order]])
            save_array(self.layout.path(kind, task, ".npy"), found)


def sketching(settings: Corpus) -> Sketching:
    """The sketches that the settings ask for."""
    return Sketching(settings.near_duplicates, settings.near_false_positives)


def pack_line(row: int, number: int, is_long: bool) -> int:
    """A line of a chunk's document in 64 bits."""
    return row << 32 | int(is_long) << 31 | min(number, 2**31 - 1)


def repeated(hashes: Ids, documents: Ids) -> Ids:
    """Documents that have the hash of an earlier one, in order."""
    order = np.lexsort((documents, hashes))
    return np.sort(documents[order][~_begins(hashes[order])])


def near_duplicates(
    hashes: Ids, documents: Ids, sketches: _SketchFiles | Sketches, threshold: float
) -> NDArray[np.uint64]:
    """Documents that share a band with an earlier one and agree with it, in order.

    Args:
        hashes: [n] of bands.
        documents: [n] that they belong to.
        sketches: gives [m, hashes] for [m] documents.
        threshold: share of hashes that must agree.
    """
    order = np.lexsort((documents, hashes))
    band, members = hashes[order], documents[order]
    dropped = [np.empty(0, np.uint64)]
    while True:
        first = _begins(band)
        alone = first & np.append(first[1:], True)
        band, members, first = band[~alone], members[~alone], first[~alone]
        if not len(band):
            return np.unique(np.concatenate(dropped))
        leaders = members[first][np.cumsum(first) - 1]
        near = _agree(leaders[~first], members[~first], sketches, threshold)
        dropped.append(members[~first][near])
        band, members = band[~first][~near], members[~first][~near]


def _agree(left: Ids, right: Ids, sketches: _SketchFiles | Sketches, threshold: float) -> NDArray[np.bool_]:
    """Whether each pair agrees in its share of the hashes; a pair met in several bands is compared once."""
    pairs, places = np.unique(np.stack([left, right]), axis=1, return_inverse=True)
    found = [np.empty(0, dtype=bool)]
    for start in range(0, pairs.shape[1], _PAIRS):
        a, b = (sketches[side[start : start + _PAIRS]] for side in pairs)
        found.append((a == b).mean(axis=1) >= threshold)
    return np.concatenate(found)[places.reshape(-1)]


def repeated_lines(hashes: Ids, documents: Ids, most: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each line, whether more than ``most`` documents hold it, and whether an earlier document does."""
    order = np.lexsort((documents, hashes))
    key, owner = hashes[order], documents[order]
    starts = _begins(key)
    group = np.cumsum(starts) - 1
    holders = np.bincount(group, weights=starts | _begins(owner)) if len(group) else np.empty(0)
    common, again = np.empty(len(key), dtype=bool), np.empty(len(key), dtype=bool)
    common[order] = holders[group] > most
    again[order] = owner != owner[starts][group]
    return common, again


def _begins(values: Ids) -> NDArray[np.bool_]:
    """Whether each of some values in order is the first of its kind."""
    first = np.ones(len(values), dtype=bool)
    first[1:] = values[1:] != values[:-1]
    return first


def duplicates(layout: Layout) -> dict[str, Settled]:
    """The documents to drop, by kind."""
    return {kind: Settled(layout, kind, columns=1) for kind in (EXACT, NEAR)}


def lines_to_cut(layout: Layout) -> dict[str, Settled]:
    """Documents and the numbers of lines to cut out of them, by kind."""
    return {kind: Settled(layout, kind, columns=2) for kind in (BOILERPLATE, PASSAGES)}


class _SketchFiles:
    """The sketches of all documents, read where they lie."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def __getitem__(self, documents: Ids) -> Sketches:
        chunks = documents >> np.uint64(32)
        parts, places = [], []
        for chunk in np.unique(chunks):
            here = np.flatnonzero(chunks == chunk)
            file = np.load(self.layout.path("sketches", int(chunk), ".npy"), mmap_mode="r")
            parts.append(file[rows_of(documents[here])])
            places.append(here)
        return np.concatenate(parts)[np.argsort(np.concatenate(places))]


def _gathered(layout: Layout, kind: str, bucket: int) -> tuple[Ids, Ids]:
    """Hashes of one bucket, from all chunks, and the documents they are of."""
    found = [(index[0], numbered(chunk, index[1])) for chunk, index in _indices(layout, kind, bucket)]
    return np.concatenate([h for h, _ in found]), np.concatenate([d for _, d in found])


def _gathered_lines(layout: Layout, bucket: int) -> tuple[Ids, Ids, Ids]:
    """Hashes of one bucket's lines, the packed lines, and the documents they are of."""
    found = list(_indices(layout, "lines", bucket))
    hashes, lines = np.concatenate([index for _, index in found], axis=1)
    documents = [numbered(chunk, index[1] >> np.uint64(32)) for chunk, index in found]
    return hashes, lines, np.concatenate(documents)


def _indices(layout: Layout, kind: str, bucket: int) -> Iterator[tuple[int, Ids]]:
    plan = layout.plan()
    for chunk in range(len(plan.chunks)):
        yield chunk, load_bucket(layout.path(kind, chunk, ".npy"), bucket, plan.buckets)
