"""Rows of every source, whatever its format, to chunks of raw text of one size and one format."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow

from pipeline.artifacts import read_json, replacing, write_json
from pipeline.corpus.layout import CHUNK_CHARACTERS, Chunk, Layout, Plan
from pipeline.errors import GroundupError
from pipeline.evaluate.split import position
from pipeline.executors import Step
from pipeline.recipe import Corpus
from pipeline.sources import Row, bytes_of, parts, read_all
from pipeline.sources.base import FILES, INSTALLED
from pipeline.sources.columns import is_empty, text_column
from pipeline.sources.tolerance import tolerated

FEW_TEXTS = 20
"""With fewer different texts, pieces of them are held out and not whole texts."""

_RAW = pyarrow.schema([(name, pyarrow.string()) for name in ("text", "place", "group", "licence")])


@dataclass(frozen=True)
class Part:
    """What one task reads."""

    specs: tuple[str, ...]
    """Small files are read together, so that chunks are not small."""
    source: str
    """The source, as the recipe names it, that these are parts of."""
    characters: float
    """Read at most so many."""


def divided(settings: Corpus) -> list[Part]:
    """The parts of every source, with the text that each may give."""
    weights = settings.weights or (1.0,) * len(settings.sources)
    found = []
    for source, weight in zip(settings.sources, weights, strict=True):
        room = settings.megabytes * 1e6 * weight / sum(weights)
        sizes = {spec: _size(spec) for spec in parts(source)}
        for specs in _together(sizes):
            share = sum(sizes[spec] for spec in specs) / sum(sizes.values())
            found.append(Part(specs, source, room * share if room else float("inf")))
    return found


def _size(spec: str) -> int:
    """Bytes of a file; whatever is none counts as a chunk."""
    size = bytes_of(spec)
    return CHUNK_CHARACTERS if size is None else max(1, size)


def _together(sizes: Mapping[str, int]) -> Iterator[tuple[str, ...]]:
    """Specs one after the other, a chunk or more at a time."""
    group: list[str] = []
    total = 0
    for spec, size in sizes.items():
        group.append(spec)
        total += size
        if total >= CHUNK_CHARACTERS:
            yield tuple(group)
            group, total = [], 0
    if group:
        yield tuple(group)


class Intake(Step):
    """Task n reads part n. What readers other packages have registered travels with the step."""

    def __init__(self, layout: Layout, parts: Sequence[Part], settings: Corpus, seed: int) -> None:
        super().__init__()
        self.layout, self.seed = layout, seed
        self.column, self.most_bad = settings.text_column, settings.skip_bad_rows
        self.readers = _foreign(INSTALLED), _foreign(FILES)
        write_json(layout.root / "parts.json", {"parts": [asdict(part) for part in parts]})

    def work(self, task: int) -> None:
        """Write the chunks of one part, then which they are and where their texts fall in the split."""
        INSTALLED.update(self.readers[0])
        FILES.update(self.readers[1])
        part = Part(**read_json(self.layout.root / "parts.json")["parts"][task])
        places: set[float] = set()
        files: list[str] = []
        bad: list[GroundupError] = []
        for number, rows in enumerate(_chunks(self._rows(part, places, bad))):
            file = self.layout.root / "raw" / f"{task:06}-{number:06}.arrow"
            with replacing(file) as beside, pyarrow.ipc.new_file(beside, _RAW, options=_COMPRESSED) as writer:
                writer.write_table(pyarrow.Table.from_pylist(rows, schema=_RAW))
            files.append(file.name)
        report = {
            "files": files,
            "source": part.source,
            "places": sorted(places),
            "bad": [refusal.args for refusal in bad],
        }
        write_json(self.layout.path("raw-report", task, ".json"), report)

    def _rows(self, part: Part, places: set[float], bad: list[GroundupError]) -> Iterator[dict[str, str]]:
        room = part.characters
        rows = itertools.chain.from_iterable(map(read_all, part.specs))
        for row in tolerated(rows, self.most_bad, lambda row: raw_text(row, self.column), bad.append):
            text = raw_text(row, self.column)
            if text and len(places) < FEW_TEXTS:
                places.add(position(row.group or text, self.seed))
            yield {"text": text, "place": row.place, "group": row.group, "licence": row.licence}
            room -= len(text)
            if room <= 0:
                return


_COMPRESSED = pyarrow.ipc.IpcWriteOptions(compression="zstd")


def _foreign(registry: Mapping[str, Any]) -> dict[str, Any]:
    """Readers that this package does not bring: another process would not know them."""
    return {
        name: reader
        for name, reader in registry.items()
        if not reader.__module__.startswith("pipeline.sources.")
    }


def raw_text(row: Row, name: str) -> str:
    """A row's text; empty where the column is there and holds nothing: common in raw text, and no mistake there.

    Raises:
        GroundupError: when the column is not there, or holds no text.
    """
    holds_nothing = name in row.values and is_empty(row.values[name])
    return "" if holds_nothing else text_column(row, name, "text-column")


def _chunks(rows: Iterator[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    chunk: list[dict[str, str]] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += len(row["text"]) + 1
        if size >= CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def plan_of(layout: Layout, parts: int, seed: int) -> Plan:
    """What the intake has given, as the plan of all that follows."""
    reports = [read_json(layout.path("raw-report", task, ".json")) for task in range(parts)]
    chunks = tuple(Chunk(file, report["source"]) for report in reports for file in report["files"])
    places = {place for report in reports for place in report["places"]}
    return Plan(chunks, len(places) < FEW_TEXTS, seed)


def bad_rows(layout: Layout, parts: int, most: int) -> list[GroundupError]:
    """What the intake has passed over, in the order of the sources.

    Raises:
        GroundupError: the first one beyond what is tolerated of all together; a task knows its own alone.
    """
    reports = [read_json(layout.path("raw-report", task, ".json")) for task in range(parts)]
    bad = [GroundupError(*said) for report in reports for said in report["bad"]]
    if len(bad) > most:
        raise bad[most]
    return bad


def raw_rows(layout: Layout, chunk: Chunk) -> Iterator[dict[str, str]]:
    """The rows of a chunk, in order."""
    with pyarrow.memory_map(str(layout.root / "raw" / chunk.file)) as file:
        reader = pyarrow.ipc.open_file(file)
        for number in range(reader.num_record_batches):
            yield from reader.get_batch(number).to_pylist()
