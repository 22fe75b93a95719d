"""One text, or two, as a model for classification reads them: whole, cut, or in windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tokenizers import processors

from pipeline.errors import GroundupError
from pipeline.model.reading import Reading, nothing_token, places_of
from pipeline.processes import say
from pipeline.recipe import Finetune

_READ = ("input_ids", "token_type_ids")
"""What of a tokenizer's output goes into a feature; the mask follows from the padding."""
Columns = dict[str, list[Any]]
"""Of one window, an entry for each token."""


def read(fields: Mapping[str, Any], tokenizer: Any, settings: Finetune) -> list[dict[str, list[int]]]:
    """What the model reads of an example, as the tokenizer writes it: one feature, or one for each window.

    What is too long is cut: of two texts the longer one at its end, again and again, until both fit; a single one as
    ``long_texts`` says. Windows overlap by a quarter.
    """

    def encode(*texts: str, **cut: Any) -> list[Columns]:
        given = tokenizer(*texts, split_special_tokens=True, **cut)
        return _windows({name: given[name] for name in _READ if name in given})

    return _cut(fields, settings, encode)


def readings(fields: Mapping[str, Any], tokenizer: Any, settings: Finetune) -> list[Reading]:
    """The same, and which characters of which text each token stands for.

    Raises:
        GroundupError: where the tokenizer cannot tell.
    """
    if not tokenizer.is_fast:
        raise GroundupError(
            "explain", "its tokenizer does not tell where a token stands", "convert it to tokenizer.json"
        )
    names = [name for name in ("text", "pair") if name in fields]

    def encode(*texts: str, **cut: Any) -> list[Columns]:
        given = tokenizer(*texts, split_special_tokens=True, return_offsets_mapping=True, **cut)
        windows = _windows({name: given[name] for name in (*_READ, "offset_mapping") if name in given})
        return [{**window, "parts": given.sequence_ids(n)} for n, window in enumerate(windows)]

    return [
        Reading(
            {name: window[name] for name in _READ if name in window},
            places_of(window["offset_mapping"], window["parts"], names),
            {name: fields[name] for name in names},
            written_from=len(window["input_ids"]),
            nothing=nothing_token(tokenizer),
        )
        for window in _cut(fields, settings, encode)
    ]


def head_reads_at(reading: Reading, tokenizer: Any) -> int:
    """The position that a head for classification reads: [CLS] where there is one, else the last token."""
    ids = list(reading.features["input_ids"])
    marks = {tokenizer.cls_token_id} & set(ids) - {None}
    return ids.index(marks.pop()) if marks else len(ids) - 1


def _cut(
    fields: Mapping[str, Any], settings: Finetune, encode: Callable[..., list[Columns]]
) -> list[Columns]:
    room = settings.max_tokens
    if "pair" in fields:
        return encode(fields["text"], fields["pair"], truncation="longest_first", max_length=room)
    if settings.long_texts == "head-tail":
        (whole,) = encode(fields["text"])
        return [{name: _both_ends(values, room) for name, values in whole.items()}]
    cut = {"truncation": True, "max_length": room}
    if settings.long_texts == "windows":
        cut |= {"stride": room // 4, "return_overflowing_tokens": True}
    return encode(fields["text"], **cut)


def _windows(given: Mapping[str, list[Any]]) -> list[Columns]:
    """Of what the tokenizer gives for one window, or for several."""
    if not any(isinstance(entry, list) for entry in given["input_ids"]):
        return [dict(given)]
    return [dict(zip(given, window, strict=True)) for window in zip(*given.values(), strict=True)]


def _both_ends(values: list[Any], room: int) -> list[Any]:
    """Head and tail carry most of a review's verdict (Sun et al., 2019)."""
    return values if len(values) <= room else values[: room // 2] + values[len(values) - (room - room // 2) :]


def set_pair_template(tokenizer: Any) -> None:
    """Let a tokenizer that runs two texts into each other write its end of text between them.

    The template is part of the tokenizer, so whoever loads it separates texts alike.

    Raises:
        GroundupError: when it marks a single text but not where the second of two begins.
    """
    backend = tokenizer.backend_tokenizer
    alone, both = (backend.num_special_tokens_to_add(is_pair) for is_pair in (False, True))
    if both > alone:
        return
    between = tokenizer.eos_token
    if alone or between is None:
        raise GroundupError(
            "--pair-column", "the tokenizer has no mark between two texts", "start from another model"
        )
    own = backend.post_processor
    template = processors.TemplateProcessing(
        single="$A:0",
        pair=f"$A:0 {between}:0 $B:1",
        special_tokens=[(between, tokenizer.convert_tokens_to_ids(between))],
    )
    backend.post_processor = processors.Sequence([own, template]) if own else template
    say(f"two texts are separated by {between}, which the saved tokenizer does too")
