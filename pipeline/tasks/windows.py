"""A question with its context in windows that a model can read, and where their tokens stand in the text."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import regex

from pipeline.model.reading import Reading, Span, nothing_token, places_of


@dataclass(frozen=True)
class Window:
    """A question with one stretch of its context, as the model sees them."""

    ids: list[int]
    kinds: list[int] | None
    """1 for each token of the context, 0 for others, where the model tells them apart (BERT's segments)."""
    nothing: int
    """The position that stands for "no answer"."""
    places: list[int]
    """Positions of the tokens that an answer may begin or end with: those of the context that are not blank."""
    spans: list[Span]
    """What each of them stands for: whole characters as a reader sees them, no blanks around."""
    stretch: Span
    """What the window shows of the context."""

    def labels(self, start: int, end: int) -> tuple[int, int]:
        """First and last token of an answer; twice the position for none where it is not whole in this window."""
        inside = [p for p, (a, b) in zip(self.places, self.spans, strict=True) if a < end and b > start]
        whole = inside and self.stretch[0] <= start and end <= self.stretch[1]
        return (inside[0], inside[-1]) if whole else (self.nothing, self.nothing)

    def features(self) -> dict[str, list[int]]:
        """What the model takes."""
        return {"input_ids": self.ids} | ({} if self.kinds is None else {"token_type_ids": self.kinds})


def windows_of(question: str, context: str, tokenizer: Any, config: Any, most: int) -> list[Window]:
    """Windows of at most ``most`` tokens that overlap by a quarter of it (run_squad's document stride).

    A model that reads both ways has a token for the whole of what it reads, [CLS], which stands for "no answer", and
    marks that tell question and context apart (Devlin et al., 2019). A causal one knows all only at its last token, the
    end of text, and a line's end tells them apart.

    Args:
        question: a long one is cut after a third of ``most``.
        context: the text with the answer.
        tokenizer: of the model.
        config: of the model.
        most: tokens.
    """
    is_marked = marks_pairs(tokenizer)
    encoded = _encoded(question, context, tokenizer, most)
    borders, count = cluster_borders(context), len(encoded["input_ids"])
    has_kinds = is_marked and getattr(config, "type_vocab_size", 0) > 1
    found = []
    for number, ids in enumerate(encoded["input_ids"]):
        parts, offsets = encoded.sequence_ids(number), encoded["offset_mapping"][number]
        inside = [(p, span) for p, (part, span) in enumerate(zip(parts, offsets, strict=True)) if part == 1]
        solid = [(p, around(span, context, borders)) for p, span in inside if span[0] < span[1]]
        seen = [(p, span) for p, span in solid if span[0] < span[1]]
        first = inside[0][1][0] if number and inside else 0
        last = inside[-1][1][1] if number + 1 < count and inside else len(context)
        is_closed = is_marked or not parts or parts[-1] is None  # by a token that is of neither text
        whole = ids if is_closed else [*ids, tokenizer.eos_token_id]
        found.append(
            Window(
                ids=whole,
                kinds=encoded["token_type_ids"][number] if has_kinds else None,
                nothing=ids.index(tokenizer.cls_token_id) if is_marked else len(whole) - 1,
                places=[p for p, _ in seen],
                spans=[span for _, span in seen],
                stretch=(first, last),
            )
        )
    return found


def readings_of(
    question: str, context: str, tokenizer: Any, windows: Sequence[Window], most: int
) -> list[Reading]:
    """The windows with the characters of question and context that each token stands for.

    Args:
        question, context, tokenizer, most: as for ``windows_of``.
        windows: that it made of them.
    """
    encoded = _encoded(question, context, tokenizer, most)
    asked = len(beginning(question, most // 3, tokenizer))
    found = []
    for number, window in enumerate(windows):
        parts = encoded.sequence_ids(number)
        offsets = [
            (start, min(end, asked) if part == 0 else end)  # a line's end is no part of the question
            for part, (start, end) in zip(parts, encoded["offset_mapping"][number], strict=True)
        ]
        places = places_of(offsets, parts, ["question", "context"])
        places += [None] * (len(window.ids) - len(places))
        texts = {"question": question, "context": context}
        features = window.features()
        found.append(Reading(features, places, texts, len(window.ids), nothing_token(tokenizer)))
    return found


def _encoded(question: str, context: str, tokenizer: Any, most: int) -> Any:
    is_marked = marks_pairs(tokenizer)
    return tokenizer(
        beginning(question, most // 3, tokenizer) + ("" if is_marked else "\n"),
        context,
        truncation="only_second",
        max_length=most if is_marked else most - 1,
        stride=most // 4,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_token_type_ids=True,
        split_special_tokens=True,
    )


def marks_pairs(tokenizer: Any) -> bool:
    """Whether it puts a [CLS] to what it encodes, and so marks what is the question and what the context."""
    return tokenizer.cls_token_id is not None and tokenizer.cls_token_id in tokenizer("")["input_ids"]


def beginning(text: str, most: int, tokenizer: Any) -> str:
    """The characters that the first tokens of a text stand for."""
    encoded = tokenizer(
        text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True
    )
    if len(encoded["input_ids"]) <= most:
        return text
    return text[: max((end for _, end in encoded["offset_mapping"][:most]), default=0)]


def cluster_borders(text: str) -> list[int]:
    """Where the characters that a reader sees begin, and the text's end; none where each code point is one.

    Extended grapheme clusters (Unicode Standard Annex 29): a letter with its combining marks, an emoji that several are
    joined to, a flag of two letters.
    """
    if text.isascii():
        return []
    borders = [match.start() for match in regex.finditer(r"\X", text)]
    return [] if len(borders) == len(text) else [*borders, len(text)]


def around(span: Span, text: str, borders: list[int]) -> Span:
    """The smallest span of whole clusters around a span, without blank ones at its ends."""
    start, end = span
    if borders:
        start, end = borders[bisect_right(borders, start) - 1], borders[bisect_left(borders, end)]
    while start < end and text[start].isspace() and not _goes_on(start + 1, borders):
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _goes_on(place: int, borders: list[int]) -> bool:
    """Whether a cluster does not end here."""
    return bool(borders) and borders[bisect_left(borders, place)] != place
