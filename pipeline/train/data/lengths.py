"""How long a task's examples are in tokens, and how many are longer than the task takes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.tasks.base import Example, Task, feature_lengths

_DRAWN = 400
"""Examples at most; a share of them is within 5 percentage points of that of all, with 95 %."""


@dataclass(frozen=True)
class Lengths:
    """Of examples to train on that were drawn by the seed."""

    drawn: int
    mean: float
    """Tokens of what is trained on, cut to the limit: of the longer side, where a model reads and writes."""
    longest: int
    """Tokens of the longest example as it is, beside what the task puts around it."""
    cut: int
    """Examples that lose a part."""
    divided: int
    """Examples of which several features are made: windows of a text, parts of a conversation."""
    left_out: int
    """Examples that are not trained on, as they do not fit."""

    @property
    def over(self) -> int:
        """Examples that are longer than the limit."""
        return self.cut + self.divided + self.left_out


def lengths_of(
    task: Task, examples: Sequence[Example], tokenizer: Any, config: Any, seed: int
) -> Lengths | None:
    """Make features of some examples as the training does, and again without a limit.

    Args:
        task: with its settings.
        examples: to train on.
        tokenizer: after ``Task.prepare_tokenizer``.
        config: of the model, with what the task adds to it.
        seed: by which they are drawn.
    """
    chosen = random.Random(seed).sample(list(examples), min(_DRAWN, len(examples)))
    taken = [feature_lengths(task.encode(example.fields, tokenizer, config)) for example in chosen]
    whole = [task.whole_length(example.fields, tokenizer, config) for example in chosen]
    features = [length for lengths in taken for length in lengths]
    if not features:
        return None
    pairs = list(zip(taken, whole, strict=True))
    return Lengths(
        drawn=len(chosen),
        mean=sum(features) / len(features),
        longest=max(whole),
        cut=sum(len(lengths) == 1 and lengths[0] < all_of_it for lengths, all_of_it in pairs),
        divided=sum(len(lengths) > 1 for lengths in taken),
        left_out=sum(not lengths for lengths in taken),
    )
