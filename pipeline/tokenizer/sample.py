"""A stated part of the corpus, taken evenly: as much of every file, spread over all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.tokenizer.shards import batches, open_texts


@dataclass(frozen=True)
class Text:
    """One document of the corpus, with where it comes from."""

    text: str
    source: str
    language: str = ""


@dataclass
class Sample:
    """Documents of about ``characters`` characters together, the same ones every time; what was taken is counted.

    Every file gives as much as the others; one that has less gives all, and the others make up for it.
    """

    files: Sequence[Path]
    characters: float
    taken: int = field(default=0, init=False)
    """Characters."""
    documents: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[Text]:
        self.taken = self.documents = 0
        sizes = [_characters(file) for file in self.files]
        for file, size, part in zip(self.files, sizes, _parts(sizes, self.characters), strict=True):
            for text in _spread(_read(file), size, part):
                self.taken += len(text.text)
                self.documents += 1
                yield text

    def texts(self) -> Iterator[str]:
        """The texts alone."""
        return (text.text for text in self)


def _parts(sizes: Sequence[int], wanted: float) -> list[float]:
    """What each file gives: the smallest first, an equal part of what is still wanted."""
    parts = [0.0] * len(sizes)
    for done, number in enumerate(sorted(range(len(sizes)), key=lambda i: sizes[i])):
        parts[number] = min(sizes[number], wanted / (len(sizes) - done))
        wanted -= parts[number]
    return parts


def _spread(texts: Iterator[Text], size: int, part: float) -> Iterator[Text]:
    """Documents at even distances out of ``size`` characters: ``part`` of them, or a little more."""
    seen = taken = 0
    for text in texts:
        if taken * size <= seen * part and taken < part:
            taken += len(text.text)
            yield text
        seen += len(text.text)


def _characters(file: Path) -> int:
    import pyarrow.compute

    lengths = (pyarrow.compute.utf8_length(batch.column("text")) for batch in batches(open_texts(file), 1024))
    return sum(pyarrow.compute.sum(length).as_py() or 0 for length in lengths)


def _read(file: Path) -> Iterator[Text]:
    parquet = open_texts(file)
    there = [name for name in ("text", "source", "language") if name in parquet.schema_arrow.names]
    for batch in batches(parquet, 1024, there):
        for row in batch.to_pylist():
            yield Text(row["text"], row.get("source") or "", row.get("language") or "")
