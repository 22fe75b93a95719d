"""A stated part of the corpus, taken evenly: as much of every file, spread over all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Text:
    """One document of the corpus, with where it comes from."""

    text: str
    source: str
    language: str = ""


@dataclass
class Sample:
    """Documents of about ``characters`` characters together, the same ones every time; what was taken is counted.

    Each file gives an equal part of what is still wanted, so those after a short one make up for it.
    """

    files: Sequence[Path]
    characters: float
    taken: int = field(default=0, init=False)
    """Characters."""
    documents: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[Text]:
        self.taken = self.documents = 0
        for number, file in enumerate(self.files):
            wanted = (self.characters - self.taken) / (len(self.files) - number)
            for text in _spread(_read(file), wanted):
                self.taken += len(text.text)
                self.documents += 1
                yield text

    def texts(self) -> Iterator[str]:
        """The texts alone."""
        return (text.text for text in self)


def _spread(texts: list[Text], wanted: float) -> Iterator[Text]:
    """Documents at even distances, of ``wanted`` characters together or a little more."""
    whole = sum(len(text.text) for text in texts)
    seen = taken = 0
    for text in texts:
        if taken * whole <= seen * min(wanted, whole) and taken < wanted:
            taken += len(text.text)
            yield text
        seen += len(text.text)


def _read(file: Path) -> list[Text]:
    import pyarrow.parquet

    parquet = pyarrow.parquet.ParquetFile(file)
    there = [name for name in ("text", "source", "language") if name in parquet.schema_arrow.names]
    return [
        Text(row["text"], row.get("source") or "", row.get("language") or "")
        for batch in parquet.iter_batches(columns=there)
        for row in batch.to_pylist()
    ]
