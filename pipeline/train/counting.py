"""Token shards to an n-gram model: the rows that others are trained on, counted (pipeline/model/history/ngram.py)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from pipeline.errors import GroundupError
from pipeline.model.history.ngram import NgramConfig, NgramForCausalLM, discounts
from pipeline.recipe import Watch
from pipeline.train.data.blocks import NO_TARGET, EvaluationRows, TrainingRows
from pipeline.train.loss import row_losses
from pipeline.train.watching.energy import Energy
from pipeline.train.watching.meter import Meter

Integers = NDArray[np.int64]
_BYTES_A_TOKEN = 80
"""Of memory while counting, at the most: a token as a symbol, its places, and the numbers that are sorted."""


@dataclass(frozen=True)
class Table:
    """All n-grams of one length, sorted by their places."""

    places: Integers
    """See ``ngram.py``."""
    counts: Integers
    """How often each ends at a token that is predicted."""
    parents: Integers
    """Where the symbols before the last stand in the table before."""
    suffixes: Integers
    """Where the symbols after the first stand there."""
    begins: NDArray[np.bool_]
    """Whether the first symbol is B."""


def count(
    rows: Dataset, config: NgramConfig, out: Path, watch: Watch
) -> tuple[NgramForCausalLM, dict[str, Any]]:
    """Count the n-grams of rows, each row once, however often a training would come by it again.

    Args:
        rows: that others would be trained on, in their form.
        config: of the model, without the sizes of its tables.
        out: directory for what energy is spent.
        watch: what is measured beside.

    Returns:
        The model, and its part of a row of metrics: tokens, their number a second, seconds, and energy.

    Raises:
        GroundupError: when there are more tokens than memory has room for.
    """
    once = min(len(rows), int(rows.first[-1])) if isinstance(rows, TrainingRows) else len(rows)
    tokens = once * len(rows[0]["input_ids"])
    _check_room(tokens)
    meter = Meter(energy=Energy(watch.country, out) if watch.energy else None)
    began = time.monotonic()
    with meter.energy.measuring(0, is_first_of_machine=True) if meter.energy else nullcontext():
        model = model_of(symbols_of((rows[i] for i in range(once)), config.vocab_size), config)
    seconds = time.monotonic() - began
    if meter.energy:
        meter.spent = meter.energy.spent
    speed = {"tokens_per_second": tokens / seconds, "seconds": seconds, "tokens": tokens}
    return model, {**speed, **meter.energy_spent()}


def symbols_of(rows: Iterable[Mapping[str, torch.Tensor]], entries: int) -> Integers:
    """The documents of rows, one after the other, each after its B; padding is left out.

    Args:
        rows: as ``features`` has them.
        entries: of the vocabulary, which is B's number.
    """
    parts = []
    for row in rows:
        targets = row["labels"].numpy() != NO_TARGET
        first = (row["position_ids"].numpy() == 0) & np.append(targets[1:], False)
        ids = np.where(first, entries, row["input_ids"].numpy()).repeat(1 + first)
        ids[np.flatnonzero(first) + np.arange(1, 1 + first.sum())] = row["input_ids"].numpy()[first]
        parts.append(ids[(targets | first).repeat(1 + first)])
    return np.concatenate(parts).astype(np.int64)


def tables_of(symbols: Integers, entries: int, window: int) -> list[Table]:
    """The n-grams of two symbols, of three, …, of ``window + 1``.

    Args:
        symbols: of documents, each after its B.
        entries: of the vocabulary, which is B's number.
        window: n − 1.
    """
    base, index = entries + 1, np.arange(len(symbols))
    inside = index - np.maximum.accumulate(np.where(symbols == entries, index, 0))
    node, tables = symbols, list[Table]()
    for length in range(2, window + 2):
        # Those whose last symbol is of the same document.
        starts = np.flatnonzero(inside[length - 1 :] >= length - 1)
        last = starts + length - 1
        places, which = np.unique(node[starts] * base + symbols[last], return_inverse=True)
        # A document's first token is given and not predicted.
        counts = np.bincount(which, inside[last] >= 2, minlength=len(places)).astype(np.int64)
        parents, words = places // base, places % base
        if tables:
            before = tables[-1]
            suffixes = np.searchsorted(before.places, before.suffixes[parents] * base + words)
            begins = before.begins[parents]
        else:
            suffixes, begins = words, parents == entries
        tables.append(Table(places, counts, parents, suffixes, begins))
        node = np.full(len(symbols), -1, np.int64)
        node[starts] = which
    return tables


def model_of(symbols: Integers, config: NgramConfig) -> NgramForCausalLM:
    """The model of documents.

    Args:
        symbols: of documents, each after its B (``symbols_of``).
        config: of the model, without the sizes of its tables.
    """
    entries = config.vocab_size
    tables = tables_of(symbols, entries, config.window)
    config.sizes = [len(table.places) for table in tables]
    model = NgramForCausalLM(config)
    stored = model.model
    unigrams = _standing_before(tables[0], entries + 1)[:entries]
    adjusted = [unigrams, *map(_adjusted, tables, [*tables[1:], None])]
    counted = [torch.from_numpy(a) for a in adjusted]
    stored.unigrams.copy_(counted[0])
    for length, table in enumerate(tables):
        stored.places[length].copy_(torch.from_numpy(table.places))
        stored.counts[length].copy_(counted[length + 1])
    stored.discounts.copy_(torch.stack([discounts(a) for a in counted]))
    return model.eval()


def _adjusted(table: Table, longer: Table | None) -> Integers:
    """a(g) of every n-gram of a table, of which the longest has none longer."""
    if longer is None:
        return table.counts
    return np.where(table.begins, table.counts, _standing_before(longer, len(table.places)))


def _standing_before(longer: Table, size: int) -> Integers:
    """How many symbols stand before each n-gram of the table before, of that size."""
    return np.bincount(longer.suffixes[longer.counts > 0], minlength=size)


@torch.no_grad()
def held_out_loss(model: NgramForCausalLM, held_out: EvaluationRows, rows: int) -> float:
    """Nats for each token that is predicted, ``rows`` rows at a time."""
    losses = [
        row_losses(model(batch["input_ids"], position_ids=batch["position_ids"]).logits, batch["labels"])
        for batch in DataLoader(held_out, batch_size=rows)
    ]
    return float(torch.cat(losses).sum(dtype=torch.float64)) / len(held_out.predicted)


def _check_room(tokens: int) -> None:
    room = psutil.virtual_memory().available
    if tokens * _BYTES_A_TOKEN > room:
        raise GroundupError(
            "--pretrain.steps",
            f"to count {tokens:,} tokens takes {tokens * _BYTES_A_TOKEN / 1e9:.1f} GB, and {room / 1e9:.1f} are free",
            "count fewer",
        )
