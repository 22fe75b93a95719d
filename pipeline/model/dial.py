"""The size dial: from a number of layers, or a name, to the shape of a model and how many parameters it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.model import history
from pipeline.recipe import Model, Size

HEAD = 64
"""Width of one attention head, unless the recipe sets how many there are."""


@dataclass(frozen=True)
class Preset:
    """What a name on the dial stands for; the rest follows as it does from a number."""

    depth: int
    width: int
    context: int


SIZES: Mapping[Size, Preset] = {
    "tiny": Preset(depth=4, width=256, context=256),
    "10m": Preset(depth=6, width=384, context=256),
    "50m": Preset(depth=10, width=640, context=512),
    "gpt2-small": Preset(depth=12, width=768, context=1024),
    "350m": Preset(depth=24, width=1024, context=2048),
    "760m": Preset(depth=24, width=1536, context=2048),
    "1b": Preset(depth=24, width=1792, context=2048),
}
"""Names by size. gpt2-small is GPT-2's (Radford et al., 2019), 350m and 760m are GPT-3's (Brown et al., 2020)."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a model, all of them decided."""

    depth: int
    width: int
    heads: int
    kv_heads: int
    context: int

    @property
    def head(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


def shape_of(settings: Model) -> Shape:
    """What is set, and for the rest what the dial says. Families without attention count as one head."""
    size = _turned_to(settings.depth)
    width = settings.width or size.width
    heads = settings.heads or (1 if settings.family in history.FAMILIES else width // HEAD)
    return Shape(size.depth, width, heads, settings.kv_heads or heads, settings.context or size.context)


def position(settings: Model) -> int | Size:
    """Where the dial stands for a model whose sizes are decided: at a name of its depth and width, or at its layers."""
    shape = shape_of(settings)
    names = [n for n, size in SIZES.items() if (size.depth, size.width) == (shape.depth, shape.width)]
    return names[0] if names else shape.depth


def _turned_to(depth: int | Size) -> Preset:
    """A name's own sizes; for a number 64 a layer but at least 128, and the context of the names up to there."""
    if isinstance(depth, str):
        return SIZES[depth]
    smaller = [size for size in SIZES.values() if size.depth <= depth] or [SIZES["tiny"]]
    return Preset(depth, max(128, HEAD * depth), smaller[-1].context)


def parameters_inside(settings: Model) -> int:
    """Parameters inside the layers: of a family of history by its own equations, else by the dial."""
    shape = shape_of(settings)
    if settings.family in history.TRAINED:
        return history.parameters_inside(settings, shape)
    return layer_parameters(shape)


def layer_parameters(shape: Shape) -> int:
    """Parameters inside the layers: four matrices of attention and eight square ones of the feed-forward part each.

    Two of the four, of keys and values, are as narrow as their heads are few.
    """
    attention = 2 * shape.width**2 + 2 * shape.width * shape.kv_heads * shape.head
    return shape.depth * (attention + 8 * shape.width**2)
