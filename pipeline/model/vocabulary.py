"""How many entries a tokenizer has when the recipe leaves it open, and the model that has rows for them."""

from __future__ import annotations

from typing import Any

from pipeline.model.dial import parameters_inside, shape_of
from pipeline.model.families import model_config, round_up
from pipeline.recipe import Recipe

SMALLEST, LARGEST = 1024, 131_072
_GROWTH = 0.83
_KNOWN_PARAMETERS, _KNOWN_EMBEDDINGS = 7e9, 67_000 * 4096
"""Where the law is pinned: of 7 billion parameters the paper's second approach says 67 thousand entries of 4096."""


def vocabulary_size(recipe: Recipe) -> int:
    """Entries of the recipe's tokenizer: as set, or what the model's size asks for.

    Tao et al. (2024), "Scaling Laws with Vocabulary": with compute well spent, the parameters of the embedding
    grow as those of the rest to the power 0.83. The result is divided by the width, rounded up to a multiple of
    128, and kept between 1,024 and 131,072. They fitted it on models of 33 million to 3 billion parameters;
    below, it is an extrapolation.
    """
    if recipe.tokenizer.vocabulary:
        return recipe.tokenizer.vocabulary
    embeddings = _KNOWN_EMBEDDINGS * (parameters_inside(recipe.model) / _KNOWN_PARAMETERS) ** _GROWTH
    entries = round_up(round(embeddings / shape_of(recipe.model).width), 128)
    return min(max(entries, SMALLEST), LARGEST)


def own_config(recipe: Recipe) -> Any:
    """The configuration of the recipe's own model.

    Raises:
        GroundupError: when it starts from published weights that cannot be read.
    """
    from pipeline.model.published import load_config  # slow to import, and sizes alone need nothing of it

    if recipe.model.start:
        return load_config(recipe.model.start)
    rows = round_up(vocabulary_size(recipe))
    return model_config(recipe.model, rows, eos_token_id=0, pad_token_id=1)  # the first two of our tokenizers
