"""Counts of what was read, dropped, masked and kept, with samples of what was dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

_SAMPLES = 3
_SAMPLE_CHARACTERS = 200

Sample = dict[str, str]
"""The beginning of a dropped document, its source and its place there."""


@dataclass
class Tally:
    """What one task has counted, or all together."""

    read: int = 0
    """Documents read: a long one counts as those it was cut into."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Documents by the filter that dropped them."""
    masked: Counter[str] = field(default_factory=Counter)
    """Personal data by kind."""
    cut: Counter[str] = field(default_factory=Counter)
    """Lines by why they were cut out of their document."""
    sources: Counter[str] = field(default_factory=Counter)
    """Documents kept, by source."""
    licences: Counter[str] = field(default_factory=Counter)
    """Documents kept, by source and licence, as ``SOURCE: LICENCE``."""
    languages: Counter[str] = field(default_factory=Counter)
    """Documents kept, by language."""
    lengths: Counter[str] = field(default_factory=Counter)
    """Documents kept, by the power of two that their characters do not reach."""
    documents: Counter[str] = field(default_factory=Counter)
    """Documents kept, by part."""
    characters: Counter[str] = field(default_factory=Counter)
    """Characters kept, by part."""
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    """The first few that each filter dropped."""

    def drop(self, why: str, text: str, source: str, place: str) -> None:
        """Count a dropped document under the filter that dropped it, and keep the first few."""
        self.dropped[why] += 1
        kept = self.samples.setdefault(why, [])
        if len(kept) < _SAMPLES:
            kept.append({"text": text[:_SAMPLE_CHARACTERS], "source": source, "place": place})

    def keep(self, part: str, text: str, source: str, licence: str, language: str) -> None:
        """Count a document of the corpus."""
        self.documents[part] += 1
        self.characters[part] += len(text)
        self.sources[source] += 1
        self.licences[f"{source}: {licence or 'not known'}"] += 1
        self.languages[language or "not told"] += 1
        self.lengths[str(1 << len(text).bit_length())] += 1

    @property
    def reasons(self) -> str:
        """What documents were dropped for, in words."""
        return ", ".join(f"{why} {n}" for why, n in self.dropped.most_common())

    @property
    def by_length(self) -> dict[str, int]:
        """``lengths``, the shortest first."""
        return dict(sorted(self.lengths.items(), key=lambda pair: int(pair[0])))

    def values(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return vars(self)

    def add(self, counted: Mapping[str, Any]) -> None:
        """Add what another task has counted, as ``values`` gives it."""
        self.read += counted["read"]
        for name in (f.name for f in fields(self) if f.name not in ("read", "samples")):
            getattr(self, name).update(counted[name])
        for why, samples in counted["samples"].items():
            kept = self.samples.setdefault(why, [])
            kept += samples[: _SAMPLES - len(kept)]
