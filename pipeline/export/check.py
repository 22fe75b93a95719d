"""An export beside its original, on the same held-out data in one run: logits, predictions, tokens, metric, speed."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import GroundupError

if TYPE_CHECKING:
    from pipeline.export.formats.base import Format
    from pipeline.export.held_out import HeldOut

TOLERANCE = 1e-3
"""Nats that a logit of an exact format may be off: by rounding it is off by a hundredth of that, by a wrong weight by
hundreds of it. No probability changes by more than a fifth of a percent."""
LEAST_ALIKE = 0.99
"""Share of held-out texts that an export's tokenizer has to cut into the original's tokens."""
_ROUNDS = 8
"""In which original and export take turns."""
_WARM = 2
"""Entries that both say something of before time is taken."""


@dataclass(frozen=True)
class Loaded:
    """A model that can be asked, and its tokenizer."""

    model: Any
    tokenizer: Any


@dataclass(frozen=True)
class Compared:
    """What came of it; ``before`` is the original's, ``after`` the export's."""

    largest: float
    """The largest absolute difference of two logits."""
    agreement: float
    """Share of predictions that are the same."""
    same_tokens: float
    """Share of texts with the same tokens."""
    before: float
    after: float
    rate_before: float
    """Units a second."""
    rate_after: float


def compare(original: Loaded, export: Loaded, held_out: HeldOut) -> Compared:
    """Ask both models the same, in turns.

    Args:
        original: the model.
        export: what was written of it, read again.
        held_out: what to ask.

    Raises:
        GroundupError: when nothing that is held out fits into the model.
    """
    largest, likeliest = differences(original, export, held_out)
    said, seconds = _in_turns((original, export), held_out)
    units = held_out.size(held_out.entries)
    return Compared(
        largest,
        held_out.agreement(said[0], said[1], likeliest),
        _same_tokens(original.tokenizer, export.tokenizer, held_out.texts(original.tokenizer)),
        held_out.score(said[0]),
        held_out.score(said[1]),
        units / seconds[0],
        units / seconds[1],
    )


def refuse_wrong(made: Format, compared: Compared) -> None:
    """Refuse an export that is not what it has to be.

    Raises:
        GroundupError: when logits are none, or further off than ``TOLERANCE`` where the format is exact, or the tokens
            are others.
    """
    off = compared.largest
    if not math.isfinite(off) or (made.exact and off > TOLERANCE):
        bound = f", and {made.name} may be off by {TOLERANCE:g}" if made.exact else ""
        raise GroundupError(
            made.name,
            f"what was written is not the model: the largest difference of two logits is {off:.3g}{bound}",
            "use another format",
        )
    if compared.same_tokens < LEAST_ALIKE:
        raise GroundupError(
            made.name,
            f"its tokenizer cuts {1 - compared.same_tokens:.1%} of the held-out texts otherwise than the original",
            "use another format",
        )


def differences(original: Loaded, export: Loaded, held_out: HeldOut) -> tuple[float, float]:
    """The largest absolute difference of logits, and the share of tokens, or outputs, with the same greatest one.

    Padding is passed over. Both read the tokens of the original.
    """
    import torch

    largest, same, count = 0.0, 0, 0
    for one, other in _logits(original, export, held_out):
        off = (one - other).abs().max()
        largest = max(largest, float(off)) if torch.isfinite(off) else math.inf
        agreeing = one.argmax(-1) == other.argmax(-1)
        same, count = same + int(agreeing.sum()), count + agreeing.numel()
    if not count:
        raise GroundupError(
            "the held-out data",
            "none of it makes input for the model, so nothing can be compared",
            "name other data",
        )
    return largest, same / count


def _logits(original: Loaded, export: Loaded, held_out: HeldOut) -> Iterator[tuple[Any, Any]]:
    """Logits of both, of a classifier ``(texts, outputs)``, of others of one text each, ``(tokens[, vocabulary])``."""
    from transformers import DataCollatorWithPadding

    from pipeline.evaluate.predict import forward_batches, logit_tokens

    features = held_out.features(original.tokenizer, original.model.config)
    collate = DataCollatorWithPadding(original.tokenizer)
    most = logit_tokens(original.model.config, held_out.batch_tokens)
    pairs = (forward_batches(loaded.model, features, collate, most) for loaded in (original, export))
    for (batch, one), (_, other) in zip(*pairs, strict=True):
        for name in (name for name in one.keys() if name.endswith("logits")):  # noqa: SIM118  # no mapping
            both = [outputs[name].float().cpu() for outputs in (one, other)]
            if name == "logits" and both[0].ndim == 2:
                yield both[0], both[1]
                continue
            for row, number in enumerate(batch):
                length = len(features[number]["input_ids"])
                yield both[0][row, :length], both[1][row, :length]


def _in_turns(models: Sequence[Loaded], held_out: HeldOut) -> tuple[list[list[dict[str, Any]]], list[float]]:
    """What each says of all entries, and the seconds that it took, who begins changing with each round."""
    entries = held_out.entries
    for loaded in models:
        held_out.said(loaded.model, loaded.tokenizer, entries[:_WARM])
    said: list[list[dict[str, Any]]] = [[] for _ in models]
    seconds = [0.0 for _ in models]
    step = max(1, math.ceil(len(entries) / _ROUNDS))
    for number, start in enumerate(range(0, len(entries), step)):
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            began = time.perf_counter()
            part = entries[start : start + step]
            said[which] += held_out.said(models[which].model, models[which].tokenizer, part)
            seconds[which] += time.perf_counter() - began
    return said, seconds


def _same_tokens(one: Any, other: Any, texts: Sequence[str]) -> float:
    same = sum(one(text)["input_ids"] == other(text)["input_ids"] for text in texts)
    return same / max(1, len(texts))
