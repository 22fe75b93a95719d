"""Clean documents to the shards of the corpus: without duplicates and contamination, mixed, in two parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from pipeline.artifacts import read_json, replacing, write_json
from pipeline.corpus.contamination import read_contaminants
from pipeline.corpus.duplicates import EXACT, NEAR, duplicates, lines_to_cut
from pipeline.corpus.layout import Layout, Plan, draw, numbered
from pipeline.corpus.tally import Tally
from pipeline.executors import Step
from pipeline.recipe import Corpus

Row = dict[str, Any]
"""A document as it was refined, by column."""

TRAIN, VALIDATION = "train", "validation"
_COLUMNS = ("text", "source", "place", "licence", "language")
_SCHEMA = pyarrow.schema([(name, pyarrow.string()) for name in _COLUMNS])


@dataclass(frozen=True)
class Cut:
    """What is held out, and how much of each source is used."""

    border: float
    """Documents whose place is below are held out."""
    shares: dict[str, float]
    """Of each source's documents, the share that the weights leave."""


class Assemble(Step):
    """Task n writes shard n of both parts."""

    def __init__(self, layout: Layout, settings: Corpus, cut: Cut) -> None:
        super().__init__()
        self.layout, self.settings = layout, settings
        write_json(layout.root / "cut.json", asdict(cut))

    def work(self, task: int) -> None:
        """Gather the shard's documents from its group of chunks and write those that stay."""
        plan, tally = self.layout.plan(), Tally()
        cut = Cut(**read_json(self.layout.root / "cut.json"))
        known = read_contaminants(self.layout.contaminants, self.settings.decontaminate)
        group, slot = plan.shards[task]
        parts: dict[str, list[tuple[int, dict[str, str]]]] = {TRAIN: [], VALIDATION: []}
        for chunk in plan.groups[group]:
            source = plan.chunks[chunk].source
            for document in self._remaining(plan, chunk, slot, tally):
                part = VALIDATION if document["position"] < cut.border else TRAIN
                why = self._refused(document, cut.shares[source], plan.seed)
                if not why and part == TRAIN and known.are_in(document["text"]):
                    why = "contaminated"
                if why:
                    tally.drop(why, document["text"], source, document["place"])
                    continue
                row = {name: document.get(name, source) for name in _COLUMNS}
                tally.keep(part, row["text"], source, row["licence"], row["language"])
                parts[part].append((document["key"], row))
        for part, rows in parts.items():
            self._write([row for _, row in sorted(rows, key=lambda keyed: keyed[0])], part, task)
        write_json(self.layout.path("assemble-tally", task, ".json"), tally.values())

    def _refused(self, document: Row, share: float, seed: int) -> str:
        """Why a document that is no duplicate comes into neither part."""
        if len(document["text"]) < self.settings.minimum_characters:
            return "too_short"
        if share < 1 and draw(seed, "weight", document["key"]) >= share * 2**64:
            return "over_weight"
        return ""

    def _remaining(self, plan: Plan, chunk: int, slot: int, tally: Tally) -> Iterator[Row]:
        """Documents of one chunk and slot that are no duplicates, without repeated lines."""
        source = plan.chunks[chunk].source
        first = int(np.load(self.layout.path("slots", chunk, ".npy"))[slot])
        lines = {}
        if self.settings.boilerplate or self.settings.repeated_passages:
            lines = {kind: found.of_chunk(chunk) for kind, found in lines_to_cut(self.layout).items()}
        with pyarrow.memory_map(str(self.layout.path("clean", chunk, ".arrow"))) as file:
            documents = pyarrow.ipc.open_file(file).get_batch(slot).to_pylist()
        numbers = numbered(chunk, np.arange(first, first + len(documents)))
        is_exact, is_near = (found.holds(numbers) for found in duplicates(self.layout).values())
        for number, document, exact, near in zip(numbers, documents, is_exact, is_near, strict=True):
            if exact or near:
                tally.drop(EXACT if exact else NEAR, document["text"], source, document["place"])
                continue
            gone: set[int] = set()
            for kind, (owners, places) in lines.items():
                low, high = np.searchsorted(owners, [number, number + np.uint64(1)])
                gone.update(places[low:high].tolist())
                tally.cut[kind] += int(high - low)
            yield {**document, "text": _without(document["text"], gone)}

    def _write(self, rows: list[dict[str, str]], part: str, task: int) -> None:
        """A shard, or nothing where none of its documents fall into the part."""
        if not rows:
            return
        file = self.layout.output / part / f"{task:05}.parquet"
        with replacing(file) as beside:
            table = pyarrow.Table.from_pylist(rows, schema=_SCHEMA)
            pyarrow.parquet.write_table(table, beside, compression="zstd")


def _without(text: str, numbers: set[int]) -> str:
    """A text without some of its lines."""
    if not numbers:
        return text
    lines = [line for number, line in enumerate(text.split("\n")) if number not in numbers]
    return "\n".join(lines).strip()


def shards(directory: Path) -> list[Path]:
    """The finished files of a part, in order; nothing that an interruption has left half written."""
    return sorted(directory.glob("[0-9]*.parquet"))
