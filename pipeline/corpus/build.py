"""The corpus stage: rows of every source to clean, deduplicated documents in a training and a held-out part."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.artifacts import Artifact
from pipeline.corpus.cleaning import PIECE_CHARACTERS, clean, pieces
from pipeline.corpus.datasheet import datasheet
from pipeline.corpus.duplicates import Exact, Near
from pipeline.corpus.personal_data import mask
from pipeline.errors import GroundupError
from pipeline.evaluate.split import position
from pipeline.recipe import Corpus
from pipeline.sources import Row, read
from pipeline.sources.columns import text_column

_SHARD_CHARACTERS = 50_000_000
_FEW_TEXTS = 20
_BATCH = 1000
"""Documents sketched at a time."""


@dataclass(frozen=True)
class Document:
    """A text, where it comes from, and its place in [0, 1) for the split."""

    text: str
    source: str
    position: float


@dataclass
class Tally:
    """What was read, dropped and masked, with samples of what was dropped."""

    counts: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[str]] = field(default_factory=dict)

    def drop(self, why: str, text: str) -> None:
        """Count a dropped document under the filter that dropped it, and keep the first few."""
        self.counts[why] += 1
        self.samples.setdefault(why, [])
        if len(self.samples[why]) < 3:
            self.samples[why].append(text[:200])


def build_corpus(
    settings: Corpus, held_out: float, seed: int, out: Artifact
) -> Mapping[str, Mapping[str, Any]]:
    """Write ``train/*.parquet``, ``validation/*.parquet`` (columns text and source) and ``datasheet.md``.

    Args:
        settings: sources and filters.
        held_out: share of groups in the validation part.
        seed: of the split and the order.
        out: directory of the stage.

    Raises:
        GroundupError: when a source cannot be read, or nothing is left.
    """
    started = time.monotonic()
    tally = Tally()
    documents = _placed(list(_kept(settings, seed, tally)), seed)
    train, validation = _split(documents, held_out, settings, tally)
    for part in (train, validation):  # the first tokens of either are then a fair sample
        random.Random(seed).shuffle(part)
    with out.writing() as beside:
        _write(train, beside / "train")
        _write(validation, beside / "validation")
        metrics = _metrics(train, validation, tally, time.monotonic() - started)
        (beside / "datasheet.md").write_text(
            datasheet(settings, held_out, seed, metrics, tally.samples), "utf-8"
        )
    return metrics


def _kept(settings: Corpus, seed: int, tally: Tally) -> Iterator[Document]:
    documents = _exact(
        _long_enough(_documents(settings, seed, tally), settings.minimum_characters, tally), tally
    )
    if settings.near_duplicates:
        documents = _near(documents, settings.near_duplicates, tally)
    for document in documents:
        text = mask(document.text, tally.masked) if settings.mask_personal_data else document.text
        tally.kept[document.source] += 1
        yield replace(document, text=text)


def _documents(settings: Corpus, seed: int, tally: Tally) -> Iterator[Document]:
    for source in settings.sources:
        room = settings.megabytes / len(settings.sources) * 1e6 or float("inf")
        for row in read(source):
            if _is_empty(row, settings.text_column):
                tally.counts["read"] += 1
                tally.drop("too_short", "")
                continue
            raw = text_column(row, settings.text_column, "text-column")
            place = position(row.group or raw, seed)  # the raw text, as the tasks see it
            for piece in pieces(clean(raw)):
                tally.counts["read"] += 1
                yield Document(piece, source, place)
            room -= len(raw)
            if room <= 0:
                break


def _is_empty(row: Row, name: str) -> bool:
    """Whether the column is there and holds nothing: common in raw text, and no mistake there."""
    return name in row.values and not str(row.values[name] or "").strip()


def _long_enough(documents: Iterable[Document], least: int, tally: Tally) -> Iterator[Document]:
    for document in documents:
        if len(document.text) >= least:
            yield document
        else:
            tally.drop("too_short", document.text)


def _exact(documents: Iterable[Document], tally: Tally) -> Iterator[Document]:
    seen = Exact()
    for document in documents:
        if seen.is_new(document.text):
            yield document
        else:
            tally.drop("exact_duplicates", document.text)


def _near(documents: Iterator[Document], threshold: float, tally: Tally) -> Iterator[Document]:
    seen = Near(threshold)
    while batch := list(itertools.islice(documents, _BATCH)):
        for document, new in zip(batch, seen.are_new([d.text for d in batch]), strict=True):
            if new:
                yield document
            else:
                tally.drop("near_duplicates", document.text)


def _placed(documents: list[Document], seed: int) -> list[Document]:
    """The documents as they are; where they come from a few long texts, each in a place of its own."""
    if len({document.position for document in documents}) >= _FEW_TEXTS:
        return documents
    return [replace(document, position=position(document.text, seed)) for document in documents]


def _split(
    documents: list[Document], share: float, settings: Corpus, tally: Tally
) -> tuple[list[Document], list[Document]]:
    """Documents below the share are held out; at least those of the lowest place are."""
    places = sorted({document.position for document in documents})
    if len(places) < 2:
        dropped = ", ".join(f"{why} {n}" for why, n in tally.counts.most_common() if why != "read")
        raise GroundupError(
            ", ".join(settings.sources),
            f"{len(documents)} documents of up to {PIECE_CHARACTERS} characters are left of {tally.counts['read']} "
            f"(dropped: {dropped or 'none'}), too few to hold some out",
            "give more text, or lower --corpus.minimum-characters",
        )
    border = max(share, places[1])
    train = [d for d in documents if d.position >= border]
    return train, [d for d in documents if d.position < border]


def _write(documents: Iterable[Document], directory: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    directory.mkdir(parents=True)
    for number, shard in enumerate(_shards(documents)):
        table = pyarrow.table({"text": [d.text for d in shard], "source": [d.source for d in shard]})
        pyarrow.parquet.write_table(table, directory / f"{number:05}.parquet", compression="zstd")


def _shards(documents: Iterable[Document]) -> Iterator[list[Document]]:
    shard: list[Document] = []
    size = 0
    for document in documents:
        shard.append(document)
        size += len(document.text)
        if size >= _SHARD_CHARACTERS:
            yield shard
            shard, size = [], 0
    if shard:
        yield shard


def _metrics(
    train: list[Document], validation: list[Document], tally: Tally, seconds: float
) -> dict[str, dict[str, Any]]:
    dropped = {why: tally.counts[why] for why in ("too_short", "exact_duplicates", "near_duplicates")}
    parts = {"train": train, "validation": validation}
    return {
        "documents": {
            "read": tally.counts["read"],
            "kept": sum(tally.kept.values()),
            **dropped,
            **{name: len(part) for name, part in parts.items()},
            "seconds": seconds,
        },
        "characters": {name: sum(len(d.text) for d in part) for name, part in parts.items()},
        "masked": dict(tally.masked),
        "sources": dict(tally.kept),
    }
