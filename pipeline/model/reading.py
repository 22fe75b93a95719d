"""What a model reads: tokens, and which characters of which text each of them stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Span = tuple[int, int]
"""First character and the one after the last."""
_HALF = "\ufffd"
"""What a decoder writes for bytes that are no whole character."""


@dataclass(frozen=True)
class Place:
    """Characters of a text."""

    text: str
    """Its name, as in ``Reading.texts``."""
    start: int
    end: int


@dataclass(frozen=True)
class Reading:
    """One sequence as a model reads it, before or with what it wrote."""

    features: Mapping[str, Sequence[int]]
    """Those inputs of the model that have an entry for each token: ``input_ids``, segments where it has them."""
    places: Sequence[Place | None]
    """Of each token; None of those that belong to no text: marks, a prompt's form, what the model itself wrote."""
    texts: Mapping[str, str]
    """What a person gave to be read, by name."""
    written_from: int
    """Position where begins what the model wrote; their number where it wrote nothing."""
    nothing: int
    """Token that is read where all others before what the model wrote are taken away."""

    def part(self, kept: Sequence[int]) -> tuple[dict[str, list[int]], dict[int, int]]:
        """The features of some of its tokens, and where each of these stands then.

        Args:
            kept: positions, ascending.
        """
        is_empty = not kept or kept[0] >= self.written_from
        lead = {name: [self.nothing if name == "input_ids" else 0] * is_empty for name in self.features}
        features = {name: lead[name] + [values[p] for p in kept] for name, values in self.features.items()}
        return features, {position: number + is_empty for number, position in enumerate(kept)}


def places_of(
    offsets: Sequence[Span], parts: Sequence[int | None], names: Sequence[str]
) -> list[Place | None]:
    """Places by what a fast tokenizer says.

    Args:
        offsets: characters of each token.
        parts: number of the text that each token is of; None for the tokenizer's own.
        names: of the texts.
    """
    return [
        None if part is None or start >= end else Place(names[part], start, end)
        for part, (start, end) in zip(parts, offsets, strict=True)
    ]


def decoded(ids: Sequence[int], tokenizer: Any) -> tuple[str, list[Span]]:
    """The text that tokens spell, and the characters of each; none of one that adds nothing to it.

    Tokens that share a character, as those of byte-level tokenizers may, stand for the whole of it.
    """
    text, start, spans = tokenizer.decode(ids), 0, []
    for count in range(1, len(ids) + 1):
        begun = tokenizer.decode(ids[:count])
        whole = begun if text.startswith(begun) else begun.rstrip(_HALF)
        end = max(start, _shared(whole, text))
        spans.append((start, min(len(text), end + (whole != begun))))
        start = end
    return text, spans


def _shared(one: str, other: str) -> int:
    """Characters that two texts have in common at their beginning."""
    if other.startswith(one):
        return len(one)
    return next((n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(other))


def nothing_token(tokenizer: Any) -> int:
    """What stands for an empty text: the end of the text before it, as in training, or else what begins one."""
    ids = (getattr(tokenizer, f"{name}_token_id", None) for name in ("eos", "bos", "cls", "pad"))
    return next((i for i in ids if i is not None), 0)
