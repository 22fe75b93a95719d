"""One chunk of raw text to clean documents and what they are recognised by."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow

from pipeline.artifacts import replacing, write_json
from pipeline.corpus.cleaning import clean, pieces
from pipeline.corpus.duplicates import pack_line, sketching
from pipeline.corpus.filters import judge
from pipeline.corpus.intake import raw_rows
from pipeline.corpus.language import language_of
from pipeline.corpus.layout import Layout, Plan, draw, save_array, save_index
from pipeline.corpus.pages import Page
from pipeline.corpus.personal_data import mask
from pipeline.corpus.signatures import document_hash, long_lines
from pipeline.corpus.tally import Tally
from pipeline.evaluate.split import position
from pipeline.executors import Step
from pipeline.recipe import Corpus

_FEW_TEXTS_PIECE = 4000
"""Where pieces of a few long texts are held out there have to be enough of them."""
_BATCH = 1000
"""Documents sketched at a time."""

_CLEAN = pyarrow.schema(
    [(name, pyarrow.string()) for name in ("text", "place", "licence", "language")]
    + [("position", pyarrow.float64()), ("key", pyarrow.uint64())]
)
FACTS = np.dtype([("position", "f8"), ("characters", "u4")])
"""What is known of every document without reading it."""


@dataclass(frozen=True, slots=True)
class Document:
    """A clean text, where it comes from, its place in [0, 1) for the split, and its place in the order."""

    text: str
    place: str
    licence: str
    language: str
    position: float
    key: int


@dataclass(frozen=True, slots=True)
class Refined:
    """A clean text, or why it is dropped."""

    text: str
    language: str
    dropped_by: str = ""
    """The filter; empty for a text that stays."""


def refine(raw: str, settings: Corpus, longest: int, masked: Counter[str]) -> Iterator[Refined]:
    """One raw text clean, judged and in pieces, each by itself: nothing here looks at another text.

    Args:
        raw: any Unicode text.
        settings: what is dropped and masked.
        longest: characters of a piece.
        masked: counts what personal data were masked, by kind.
    """
    text = clean(raw)
    language = language_of(text)
    text, failure = _judged(text, language, settings)
    if failure:
        yield Refined(text, language, failure)
        return
    if settings.mask_personal_data:
        text = mask(text, masked)
    for piece in pieces(text, longest):
        yield Refined(piece, language, "too_short" if len(piece) < settings.minimum_characters else "")


def _judged(text: str, language: str, settings: Corpus) -> tuple[str, str]:
    """The text without the lines that a filter takes, and the name of the filter that drops it all."""
    if len(text) < settings.minimum_characters:
        return text, "too_short"
    if settings.languages and language not in settings.languages:
        return text, "other_language"
    verdict = judge(Page(text, language), settings.filters)
    return (text, verdict.dropped_by) if verdict.dropped_by else (verdict.text, "")


class Refine(Step):
    """Task n cleans chunk n."""

    def __init__(self, layout: Layout, settings: Corpus) -> None:
        super().__init__()
        self.layout, self.settings = layout, settings

    def work(self, task: int) -> None:
        """Write the chunk's documents in their drawn order, one batch a slot, then their signatures."""
        plan, tally = self.layout.plan(), Tally()
        found = self._documents(plan, task, tally)
        documents = sorted(found, key=lambda document: document.key)
        self._write(documents, plan.slots(plan.group_of(task)), task)
        self._sign([document.text for document in documents], task)
        facts = np.array([(d.position, len(d.text)) for d in documents], dtype=FACTS)
        save_array(self.layout.path("facts", task, ".npy"), facts)
        write_json(self.layout.path("refine-tally", task, ".json"), tally.values())

    def _documents(self, plan: Plan, task: int, tally: Tally) -> Iterator[Document]:
        chunk, numbers = plan.chunks[task], itertools.count()
        longest = self.settings.longest_document
        if plan.few_texts:
            longest = min(longest, _FEW_TEXTS_PIECE)
        for row in raw_rows(self.layout, chunk):
            place = position(row["group"] or row["text"], plan.seed)  # the raw text, as the tasks see it
            for refined in refine(row["text"], self.settings, longest, tally.masked):
                tally.read += 1
                if refined.dropped_by:
                    tally.drop(refined.dropped_by, refined.text or row["text"], chunk.source, row["place"])
                    continue
                yield Document(
                    refined.text,
                    row["place"],
                    row["licence"],
                    refined.language,
                    position(refined.text, plan.seed) if plan.few_texts else place,
                    draw(plan.seed, chunk.file, next(numbers)),
                )

    def _write(self, documents: list[Document], slots: int, task: int) -> None:
        options = pyarrow.ipc.IpcWriteOptions(compression="zstd")
        file = self.layout.path("clean", task, ".arrow")
        numbers = [document.key * slots >> 64 for document in documents]
        starts = np.searchsorted(numbers, range(slots + 1))
        with replacing(file) as beside, pyarrow.ipc.new_file(beside, _CLEAN, options=options) as writer:
            for low, high in itertools.pairwise(starts):
                rows = [{name: getattr(d, name) for name in _CLEAN.names} for d in documents[low:high]]
                writer.write_batch(pyarrow.RecordBatch.from_pylist(rows, schema=_CLEAN))
        save_array(self.layout.path("slots", task, ".npy"), starts)

    def _sign(self, texts: list[str], task: int) -> None:
        rows = np.arange(len(texts), dtype=np.uint64)
        save_index(self.layout.path("exact", task, ".npy"), [document_hash(text) for text in texts], rows)
        if self.settings.near_duplicates:
            kind = sketching(self.settings)
            sketches = np.concatenate([kind.sketches(batch) for batch in _batches(texts)])
            save_array(self.layout.path("sketches", task, ".npy"), sketches)
            bands = kind.bands(sketches)
            save_index(
                self.layout.path("bands", task, ".npy"), bands.reshape(-1), np.repeat(rows, bands.shape[1])
            )
        if self.settings.boilerplate or self.settings.repeated_passages:
            least = self.settings.repeated_passages or float("inf")
            lines = [
                (mark, pack_line(row, number, length >= least))
                for row, text in enumerate(texts)
                for number, mark, length in long_lines(text)
            ]
            save_index(
                self.layout.path("lines", task, ".npy"),
                [mark for mark, _ in lines],
                [line for _, line in lines],
            )


def _batches(texts: list[str]) -> Iterable[list[str]]:
    return (texts[i : i + _BATCH] for i in range(0, max(1, len(texts)), _BATCH))
