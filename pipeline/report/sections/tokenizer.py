"""The tokenizer on the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from pipeline.report.charts import histogram
from pipeline.report.figures import Figure, counted, shown
from pipeline.report.sections.base import Section
from pipeline.report.tables import number
from pipeline.tokenizer.report import WHOLE
from pipeline.tokenizer.shards import batches, corpus_files, open_shards, open_texts

_KINDS = {"bytes_per_token": "bytes per token", "tokens_per_word": "tokens per word"}
_HELD_OUT = 100_000
"""Held-out documents whose bytes are counted, at most."""
_COLUMNS = 24
"""Of the histogram of bytes per token, at most."""


@dataclass(frozen=True)
class TokenizerSection(Section):
    """What the entries cost, and how densely they write text."""

    corpus: Path
    """Directory of the corpus that was encoded."""

    @property
    def costs(self) -> dict[str, Any]:
        """Numbers of the whole, by name."""
        return {name: value for name, value in self.model.items() if name not in (*_KINDS, "unknown_share")}

    @property
    def kinds(self) -> dict[str, dict[str, str]]:
        """Measures on held-out text: all of it, each language, each source."""
        return {
            WHOLE if row == "model" else row: {
                **{said: number(values.get(name)) for name, said in _KINDS.items()},
                "unknown tokens": f"{values['unknown_share']:.2%}"
                if "unknown_share" in values
                else number(None),
            }
            for row, values in self.metrics.items()
        }

    @property
    def figures(self) -> dict[str, Figure]:
        """Histograms by caption, without those that there is nothing for."""
        return shown({"Tokens per document": self._lengths(), "Bytes per token": self._densities()})

    def _lengths(self) -> Figure:
        """Documents of the training part by the power of two that their tokens, the end of text included, reach."""
        tokens = _tokens(self.artifact.path / "shards" / "train")
        if not len(tokens):
            return Figure({})
        powers = np.log2(tokens).astype(int)
        counts = np.bincount(powers)[powers.min() :].tolist()
        borders = [2.0 ** (powers.min() + place) for place in range(len(counts) + 1)]
        drawing = histogram("Documents by their tokens", borders, counts, "tokens", "documents")
        return counted(drawing, ("tokens from", "to below", "documents"), borders, counts)

    def _densities(self) -> Figure:
        """Held-out documents by their bytes per token, but for the few that are far out."""
        tokens = _tokens(self.artifact.path / "shards" / "validation", _HELD_OUT)
        sizes = _sizes(self.corpus / "validation", _HELD_OUT)
        if not len(tokens) or len(tokens) != len(sizes):  # another corpus than the one that was encoded
            return Figure({})
        density = sizes / np.maximum(1, tokens - 1)  # the end of text is no bytes
        low, high = np.percentile(density, [0.5, 99.5])
        edges = MaxNLocator(_COLUMNS, steps=[1, 2, 5, 10]).tick_values(low, max(high, low + 0.1))
        counts, borders = (part.tolist() for part in np.histogram(density, edges))
        drawing = histogram("Documents by bytes per token", borders, counts, "bytes per token", "documents")
        return counted(drawing, ("bytes per token from", "to", "documents"), borders, counts)


def _tokens(shards: Path, most: int | None = None) -> Any:
    """Tokens of each document with its end of text, ``(documents,)``; of the first ones where ``most`` says so."""
    lengths = [np.diff(shard.ends[:most], prepend=0) for shard in open_shards(shards)]
    return np.concatenate([np.empty(0, np.int64), *lengths])[:most]


def _sizes(corpus: Path, most: int) -> Any:
    """Bytes of UTF-8 of the first documents, ``(documents,)``."""
    import pyarrow.compute

    found, count = [np.empty(0, np.int64)], 0
    for column in (
        b.column("text") for file in corpus_files(corpus) for b in batches(open_texts(file), 1024)
    ):
        found.append(pyarrow.compute.binary_length(column).to_numpy(zero_copy_only=False))
        count += len(column)
        if count >= most:
            break
    return np.concatenate(found)[:most]
