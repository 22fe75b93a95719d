"""Bits per byte of held-out text: comparable between tokenizers, and with a compressor."""

from __future__ import annotations

import lzma
import math
from collections import Counter
from collections.abc import Sequence


def bits_per_byte(loss: float, tokens: int, size: int) -> float:
    """From the mean loss in nats per token, the number of predicted tokens and their size in bytes."""
    return loss * tokens / (math.log(2) * size)


def xz_bits_per_byte(text: str) -> float:
    """What ``xz -9e`` needs for the text by itself: a baseline without training text."""
    size = text.encode()
    return 8 * len(lzma.compress(size, preset=9 | lzma.PRESET_EXTREME)) / len(size)


def unigram_bits_per_byte(counts: Counter[int], vocabulary: int, tokens: Sequence[int], size: int) -> float:
    """What a model needs that knows only how often each token comes (add-one smoothing).

    Args:
        counts: tokens of the training text.
        vocabulary: number of different tokens.
        tokens: held-out tokens.
        size: their size in bytes.
    """
    total = sum(counts.values()) + vocabulary
    return sum(-math.log2((counts[t] + 1) / total) for t in tokens) / size


def unigram_loss(counts: Counter[int], vocabulary: int, tokens: Sequence[int]) -> float:
    """The same in nats per token."""
    bits = unigram_bits_per_byte(counts, vocabulary, tokens, size=max(1, len(tokens)))
    return bits * math.log(2)
