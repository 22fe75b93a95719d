"""One text, or two, as a model for classification reads them: whole, cut, or in windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tokenizers import processors

from pipeline.errors import GroundupError
from pipeline.processes import say
from pipeline.recipe import Finetune

_READ = ("input_ids", "token_type_ids")
"""What of a tokenizer's output goes into a feature; the mask follows from the padding."""


def read(fields: Mapping[str, Any], tokenizer: Any, settings: Finetune) -> list[dict[str, list[int]]]:
    """What the model reads of an example, as the tokenizer writes it: one feature, or one for each window.

    What is too long is cut: of two texts the longer one at its end, again and again, until both fit; a single one as
    ``long_texts`` says. Windows overlap by a quarter.
    """
    room = settings.max_tokens
    if "pair" in fields:
        cut = {"truncation": "longest_first", "max_length": room}
        return [_feature(tokenizer(fields["text"], fields["pair"], split_special_tokens=True, **cut))]
    if settings.long_texts == "head-tail":
        whole = _feature(tokenizer(fields["text"], split_special_tokens=True))
        return [{name: _both_ends(values, room) for name, values in whole.items()}]
    cut = {"truncation": True, "max_length": room}
    if settings.long_texts == "head":
        return [_feature(tokenizer(fields["text"], split_special_tokens=True, **cut))]
    windows = tokenizer(
        fields["text"],
        split_special_tokens=True,
        stride=room // 4,
        return_overflowing_tokens=True,
        **cut,
    )
    names = [name for name in _READ if name in windows]
    return [
        dict(zip(names, window, strict=True))
        for window in zip(*(windows[name] for name in names), strict=True)
    ]


def _feature(encoded: Mapping[str, list[int]]) -> dict[str, list[int]]:
    return {name: encoded[name] for name in _READ if name in encoded}


def _both_ends(values: list[int], room: int) -> list[int]:
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
