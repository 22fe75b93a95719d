"""Architectures of transformers at the sizes that the dial gives: their configurations, and which ones follow it."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from typing import TYPE_CHECKING, Any

from pipeline.errors import GroundupError, first_line, nearest, shown
from pipeline.model import history
from pipeline.model.dial import HEAD, Shape, layer_parameters, shape_of
from pipeline.recipe import Model

if TYPE_CHECKING:
    from transformers import PretrainedConfig

STOCK = ("llama", "qwen3", "gpt2")
"""Families that follow the dial, by the tests; others are tried before any work begins."""
_NEEDED = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
_PROBE = Model(depth=8, width=128, context=16)
"""Small enough to be tried in no time, deep enough for the patterns that families lay over their layers."""
_ROWS = 64
_NEAR = 1.25
"""How far a family's layers may be from what the dial counts: norms, biases, keys and values of fewer heads."""


def model_config(settings: Model, vocabulary: int, **tokens: int | None) -> PretrainedConfig:
    """The configuration of a model from random weights, without dropout and with tied embeddings.

    Args:
        settings: family and dial.
        vocabulary: rows of the embedding.
        tokens: ids of special tokens, such as ``eos_token_id``.
    """
    shape = shape_of(settings)
    if settings.family in history.FAMILIES:
        return history.config_of(settings, shape, vocabulary, **tokens)
    return _configured(settings.family, shape, _feed_forward(settings.family, shape), vocabulary, **tokens)


def check_family(settings: Model) -> None:
    """Refuse a family that transformers does not know, or that is no causal language model of the dial's size.

    It is tried on a small model: whether its layers have as many parameters as the dial counts, which those of
    state-space models and of mixtures of experts have not, and whether it is blind to what it has to predict and
    to the other documents of a row. Those of history do not go by the dial, and are known.

    Raises:
        GroundupError: naming the nearest right family, or what is wrong with this one.
    """
    from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    family = settings.family
    if family in history.FAMILIES:
        return
    if family not in CONFIG_MAPPING or CONFIG_MAPPING[family] not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise GroundupError(
            "--model.family",
            f"transformers has no causal language model '{shown(family)}'",
            nearest(family, [*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *history.FAMILIES]),
        )
    if fault := _fault(family):
        text = f"{family}_text"
        better = (
            text if text in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES else "another, such as llama, olmo2 or gpt2"
        )
        raise GroundupError("--model.family", f"{family} {fault}", f"use {better}")
    if settings.kv_heads and not _has(_default(family), "num_key_value_heads"):
        raise GroundupError(
            "--model.kv-heads",
            f"{family} gives every head its own keys and values",
            "leave it at 0, or use another family, such as llama",
        )


def round_up(entries: int, multiple: int = 64) -> int:
    """Embedding rows in whole multiples, which matrix kernels like."""
    return -(-entries // multiple) * multiple


def _configured(
    family: str, shape: Shape, feed_forward: int, vocabulary: int, **tokens: int | None
) -> PretrainedConfig:
    """A configuration in the family's own words; a size that it does not have is left out."""
    from transformers import AutoConfig  # slow to import, and what else is here is asked for by every verb

    default = _default(family)
    dropouts = {name: 0.0 for name, value in default.to_dict().items() if "drop" in name and _is_share(value)}
    sizes: dict[str, Any] = {
        "hidden_size": shape.width,
        "num_hidden_layers": shape.depth,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head,
        "query_pre_attn_scalar": shape.head,  # Gemma's scale of attention
        "intermediate_size": feed_forward,
        "max_position_embeddings": shape.context,
        "tie_word_embeddings": True,
        **dropouts,
    }
    own = {default.attribute_map.get(n, n): value for n, value in sizes.items() if _has(default, n)}
    ids = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None, **tokens}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # token ids outside a family's default vocabulary, before ours is set
        return AutoConfig.for_model(family, vocab_size=vocabulary, **own, **ids)


@functools.cache
def _default(family: str) -> PretrainedConfig:
    from transformers import AutoConfig

    return AutoConfig.for_model(family)


def _has(config: PretrainedConfig, name: str) -> bool:
    return config.attribute_map.get(name, name) in config.to_dict()


def _is_share(value: Any) -> bool:
    return isinstance(value, float) and 0 < value < 1


def _feed_forward(family: str, shape: Shape) -> int:
    """Width of the feed-forward part: 4 widths where it has two matrices, 8/3 where it has three.

    The three of a gated one then weigh what two plain ones do (Shazeer, 2020). Rounded up to whole heads.
    """
    return round_up(-(-8 * shape.width // max(1, _matrices(family))), HEAD)


@functools.cache
def _matrices(family: str) -> int:
    """How many matrices of a layer are as wide as its feed-forward part, counted on two small models."""
    from pipeline.model.cost import matrix_parameters

    shape = shape_of(_PROBE)
    narrow, wide = (matrix_parameters(_configured(family, shape, width, _ROWS)) for width in (HEAD, 2 * HEAD))
    return round((wide - narrow) / (HEAD * shape.width * shape.depth))


def _fault(family: str) -> str:
    """What keeps a family from the dial; nothing where it follows."""
    from pipeline.model.cost import matrix_parameters

    try:
        missing = [name for name in _NEEDED if not _has(_default(family), name)]
        if missing:
            return f"has no {', '.join(missing)} in its configuration"
        config = model_config(dataclasses.replace(_PROBE, family=family), _ROWS)
        share = matrix_parameters(config) / layer_parameters(shape_of(_PROBE))
        if _matrices(family) > 3:
            return "is a mixture of experts, and the dial counts none"
        if not 1 / _NEAR < share < _NEAR:
            return f"does not follow the dial: its layers would have {share:.1f} times the parameters"
        return _blindness(config)
    except Exception as error:  # whatever the code of two hundred families may raise
        return f"does not work by the dial ({type(error).__name__}: {first_line(error)[:100]})"


def _blindness(config: PretrainedConfig) -> str:
    """What a small model sees and should not, of two documents in a row: what follows, or the other document."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_config(config, dtype="float32").eval()
    half = shape_of(_PROBE).context // 2
    row = torch.arange(_ROWS - 2 * half, _ROWS)
    first, last = row.clone(), row.clone()
    first[0], last[-1] = row[1], row[-2]
    with torch.no_grad():
        said = model(
            input_ids=torch.stack([row, first, last]),
            position_ids=torch.arange(half).repeat(3, 2),
            use_cache=False,
        ).logits
    if not torch.allclose(said[0, :-1], said[2, :-1], atol=1e-4):
        return "sees the tokens that it has to predict"
    if not torch.allclose(said[0, half:], said[1, half:], atol=1e-4):
        return "does not keep apart the documents that share a row"
    return ""
