"""Documents of made-up words with duplicates, contamination and shared lines planted at known places."""

from __future__ import annotations

import json
import random
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

_SYLLABLES = ["ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "xo", "zu"]


@dataclass
class Planted:
    """Documents by identifier, and what was planted in them."""

    documents: dict[str, str] = field(default_factory=dict)
    exact: dict[str, str] = field(default_factory=dict)
    """Copy to original."""
    near: dict[str, str] = field(default_factory=dict)
    """Changed copy to original."""
    far: dict[str, str] = field(default_factory=dict)
    """Half a copy to original: no near duplicate."""
    contaminated: set[str] = field(default_factory=set)
    held_out: list[str] = field(default_factory=list)
    """Texts of a task's held-out part."""

    @property
    def order(self) -> list[str]:
        """Identifiers in the order of the rows."""
        names = sorted(self.documents)
        random.Random(1).shuffle(names)
        return names

    def write(self, file: Path) -> Path:
        """As JSON lines, in an order that tells nothing."""
        rows = [{"id": name, "text": self.documents[name]} for name in self.order]
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
        return file


def plant(seed: int, documents: int = 300) -> Planted:
    """Made-up documents of 200 words, and for a tenth of them copies and contamination."""
    chance = random.Random(seed)
    made = Planted()
    for number in range(documents):
        made.documents[f"plain-{number}"] = " ".join(_words(chance, 200))
    for number in range(documents // 10):
        original = f"plain-{number}"
        words = made.documents[original].split()
        made.documents[f"exact-{number}"] = made.documents[original].upper() + "  \n"
        made.exact[f"exact-{number}"] = original
        made.documents[f"near-{number}"] = " ".join(_changed(words, chance))
        made.near[f"near-{number}"] = original
        made.documents[f"far-{number}"] = " ".join([*words[:100], *_words(chance, 100)])
        made.far[f"far-{number}"] = original
        passage = _words(chance, 30)
        made.held_out.append(" ".join(passage))
        around = [*_words(chance, 90), *passage[8:21], *_words(chance, 90)]
        made.documents[f"contaminated-{number}"] = " ".join(around)
        made.contaminated.add(f"contaminated-{number}")
    return made


def without_spaces(planted: Planted) -> Planted:
    """The same in a script without spaces: each word becomes a character."""

    def written(text: str) -> str:
        return "".join(chr(0x4E00 + zlib.crc32(word.lower().encode()) % 20_000) for word in text.split())

    documents = {name: written(text) for name, text in planted.documents.items()}
    return replace(planted, documents=documents, held_out=[written(text) for text in planted.held_out])


def _words(chance: random.Random, count: int) -> list[str]:
    return ["".join(chance.choices(_SYLLABLES, k=chance.randint(2, 4))) for _ in range(count)]


def _changed(words: list[str], chance: random.Random) -> list[str]:
    """Words of which 3 in 200 are others: their 5-grams keep a Jaccard similarity of at least 0.86."""
    places = set(chance.sample(range(len(words)), 3))
    return [_words(chance, 1)[0] + "x" if n in places else word for n, word in enumerate(words)]
