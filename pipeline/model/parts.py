"""What the parameters of a model are for."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from pipeline.model.cost import without_numbers

_ATTENTION = re.compile(r"att(n|ention)", re.IGNORECASE)


@dataclass(frozen=True)
class Parts:
    """Parameters by what they are for; those that two layers share count once, where they stand first."""

    embedding: int
    """Tables of tokens, positions and segments. An output layer that is tied to one has no parameters of its own."""
    attention: int
    feed_forward: int
    """What of the layers is neither attention nor a norm: the MLP, or experts with their router."""
    norms: int
    head: int
    """An output layer that is not tied, and what a task puts on the model."""

    @property
    def all(self) -> int:
        return sum(asdict(self).values())


def parameters_by_part(config: Any, model_class: str) -> Parts:
    """Count on the model without weights.

    Args:
        config: of the model.
        model_class: the auto class, which decides the head.
    """
    model = without_numbers(config, model_class)
    base = getattr(model, "base_model", model)
    body = {id(module) for module in base.modules()} if base is not model else set()
    counts: Counter[str] = Counter()
    seen: set[int] = set()
    for path, module in model.named_modules():
        for weight in module.parameters(recurse=False):
            if id(weight) not in seen:
                seen.add(id(weight))
                counts[_part(path, module, not body or id(module) in body)] += weight.numel()
    return Parts(**{name: counts[name] for name in Parts.__dataclass_fields__})


def _part(path: str, module: nn.Module, is_in_body: bool) -> str:
    if not is_in_body or "pooler" in path or path.startswith(("lm_head", "classification_head", "score")):
        return "head"
    if "norm" in type(module).__name__.lower():
        return "norms"
    if _ATTENTION.search(path):
        return "attention"
    return "embedding" if isinstance(module, nn.Embedding) else "feed_forward"
