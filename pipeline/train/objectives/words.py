"""Where words begin among tokens."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import models

from pipeline.train.data.packing import Integers

_MARK, _LETTER, _NUMBER = 0, 1, 2
_BLANKS = ("\u0120", "\u2581")
"""What byte-level tokenizers, and sentencepiece's, write for the blank before a word."""


class WordBegins:
    """The tokens that begin a word, as the tokenizers that are trained here cut text into words.

    A word is a run of letters or of digits with the blank before it; other characters are words of their own, as are
    special tokens. WordPiece marks the tokens that go on; a tokenizer of words has no other.

    Args:
        tokenizer: a fast one.
    """

    def __init__(self, tokenizer: Any) -> None:
        entries = 1 + max(tokenizer.get_vocab().values())
        self.first, self.last = np.zeros(entries, np.int8), np.zeros(entries, np.int8)
        model, decoder = tokenizer.backend_tokenizer.model, tokenizer.backend_tokenizer.decoder
        special = set(tokenizer.all_special_ids)
        for token, number in tokenizer.get_vocab().items():
            if number in special or isinstance(model, models.WordLevel):
                continue
            if isinstance(model, models.WordPiece):
                self.last[number] = _LETTER
                self.first[number] = _LETTER if token.startswith(model.continuing_subword_prefix) else _MARK
                continue
            text = decoder.decode([token]) if decoder else token
            self.last[number] = _kind(text[-1:])
            self.first[number] = _MARK if token.startswith(_BLANKS) else _kind(text[:1])

    def __call__(self, ids: Integers) -> NDArray[np.bool_]:
        """Whether each token begins one, ``(length,)``; the first always does."""
        goes_on = (self.first[ids[1:]] != _MARK) & (self.first[ids[1:]] == self.last[ids[:-1]])
        return np.concatenate([[True], ~goes_on])


def _kind(character: str) -> int:
    """Of a character; bytes that are no whole one are parts of letters, as most of them are."""
    if character == "\ufffd" or (character and unicodedata.category(character)[0] in "LM"):
        return _LETTER
    return _NUMBER if character and unicodedata.category(character)[0] == "N" else _MARK
