"""Language models of history, as models of transformers: n-grams, Bengio et al.'s network, the LSTM.

Each file is one family whole. It imports torch, transformers and its neighbour ``shared.py`` and nothing else, for
it is saved beside the weights, so that they load where Groundup is not installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pipeline.errors import GroundupError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from pipeline.model.dial import Shape
    from pipeline.recipe import Model

FAMILIES = ("ngram", "nplm", "lstm")
"""In the order of their years; each is a file here that registers its classes."""
TRAINED = ("nplm", "lstm")
"""Those with weights that a gradient changes."""
COUNTED = "ngram"
"""The one without: pre-training counts."""
CODE = (*(f"{family}.py" for family in FAMILIES), "shared.py")
"""Files that lie beside the weights of these models."""


def register() -> None:
    """Let transformers' Auto classes know the families."""
    for family in FAMILIES:
        import_module(f"{__name__}.{family}")


def refuse_counts(family: str, where: str) -> None:
    """Refuse to train what has nothing that can be.

    Args:
        family: the model_type.
        where: the model or setting to name.

    Raises:
        GroundupError: for counts.
    """
    if family == COUNTED:
        raise GroundupError(
            where,
            "an n-gram model is a table of counts, which no gradient changes",
            "start from another model, such as one of the family nplm",
        )


def config_of(settings: Model, shape: Shape, vocabulary: int, **tokens: int | None) -> PretrainedConfig:
    """The configuration of a family of history at the sizes of the recipe.

    Args:
        settings: the family, and what it has beside a shape.
        shape: width is that of the embedding and of the hidden units, depth the LSTM's layers.
        vocabulary: rows of the embedding.
        tokens: ids of special tokens, such as ``eos_token_id``.
    """
    from transformers import AutoConfig

    register()
    sizes: dict[str, dict[str, Any]] = {
        "ngram": {"window": settings.window},
        "nplm": {
            "feature_size": shape.width,
            "hidden_units": shape.width,
            "window": settings.window,
            "direct": settings.direct,
        },
        "lstm": {"hidden_size": shape.width, "num_hidden_layers": shape.depth},
    }
    return AutoConfig.for_model(settings.family, vocab_size=vocabulary, **sizes[settings.family], **tokens)


def parameters_inside(settings: Model, shape: Shape) -> int:
    """Parameters between the embeddings and the output layer, by the equations of each family."""
    if settings.family == "nplm":  # H, d and C(before)
        return settings.window * shape.width**2 + 2 * shape.width
    return shape.depth * (8 * shape.width**2 + 8 * shape.width)


def parameters_of(settings: Model, shape: Shape, vocabulary: int) -> int:
    """Parameters of the whole model, whose output layer has weights and biases of its own."""
    direct = settings.window if settings.family == "nplm" and settings.direct else 0
    return parameters_inside(settings, shape) + vocabulary * (shape.width * (2 + direct) + 1)
