"""Stock architectures by one dial: depth. Width and heads follow from it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from pipeline.recipe import Model

if TYPE_CHECKING:
    from transformers import PretrainedConfig

HEAD = 64
"""Width of one attention head."""


def width_of(settings: Model) -> int:
    """Hidden size: as set, or 64 a layer but at least 128 (depth 12 gives GPT-2's 768)."""
    return settings.width or max(128, HEAD * settings.depth)


def model_config(settings: Model, vocabulary: int, **tokens: int | None) -> PretrainedConfig:
    """The configuration of a model from random weights.

    Args:
        settings: family, depth, width and context.
        vocabulary: rows of the embedding.
        tokens: ids of special tokens, such as ``eos_token_id``.
    """
    from transformers import AutoConfig  # slow to import, and what else is here is asked for by every verb

    width = width_of(settings)
    heads = width // HEAD
    if settings.family == "gpt2":
        shape: dict[str, Any] = {
            "n_embd": width,
            "n_layer": settings.depth,
            "n_head": heads,
            "n_positions": settings.context,
            "resid_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
        }
    else:
        shape = {
            "hidden_size": width,
            "num_hidden_layers": settings.depth,
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "head_dim": HEAD,
            "intermediate_size": _feed_forward(width),
            "max_position_embeddings": settings.context,
            "tie_word_embeddings": True,
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # token ids outside a family's default vocabulary, before ours is set
        return AutoConfig.for_model(settings.family, vocab_size=vocabulary, **shape, **tokens)


def _feed_forward(width: int) -> int:
    """8/3 of the width: three gated matrices then weigh what two plain ones of four widths do (Shazeer, 2020)."""
    return -(-8 * width // 3 // HEAD) * HEAD


def round_up(entries: int, multiple: int = 64) -> int:
    """Embedding rows in whole multiples, which matrix kernels like."""
    return -(-entries // multiple) * multiple
