"""A pre-trained model goes on with a text: its next token, or one that it writes later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.evaluate.predict import continuations
from pipeline.evaluate.said import Said, Wanted, said_in_words
from pipeline.explain.asked import BATCH_TOKENS
from pipeline.tasks.base import Ask, checked, tokens


@dataclass(frozen=True)
class Continuing:
    """What explains a model that was fine-tuned for no task, as ``Task`` does others."""

    def asked_by(self, texts: Mapping[str, str]) -> str:
        """The text to go on with.

        Raises:
            GroundupError: where none is given, or anything else.
        """
        return checked("pretrain", {"text": Ask()}, texts)["text"]

    def said(self, model: Any, tokenizer: Any, example: str, wanted: Wanted) -> Said:
        """The likeliest next token, the one of the number that is meant, or what it would have to write."""
        prompt = tokens(tokenizer, example)
        answer = tokens(tokenizer, wanted.target)
        if not wanted.target:
            most = max(1, wanted.token)
            (found,) = continuations(model, tokenizer, [prompt], most, BATCH_TOKENS)
            answer = list(found.ids)
        return said_in_words(model, tokenizer, prompt, answer, wanted.token)
