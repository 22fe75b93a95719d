"""What a method of attribution gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.evaluate.said import Said
from pipeline.explain.asked import Asked


@dataclass(frozen=True)
class Scores:
    """Of one method."""

    values: tuple[float, ...]
    """A number for each token that was read; the greater, the more it is held to speak for what was said."""
    facts: Mapping[str, float] = field(default_factory=dict)
    """What else there is to know of how they were found."""


Attribute = Callable[[Any, Any, Said, Asked], Scores]
"""A method: of a model, its tokenizer and what it said."""
