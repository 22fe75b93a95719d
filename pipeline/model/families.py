"""Architectures of transformers at the sizes that the dial gives: their configurations, and which ones follow it."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipeline.errors import GroundupError, first_line, nearest, shown
from pipeline.model import history
from pipeline.model.dial import HEAD, Shape, layer_parameters, shape_of
from pipeline.recipe import Model

if TYPE_CHECKING:
    from transformers import PretrainedConfig

STOCK = ("llama", "qwen3", "gpt2")
"""Families that follow the dial, by the tests; others are tried before any work begins."""
_KINDS = {
    "AutoModelForCausalLM": "causal language model",
    "AutoModelForMaskedLM": "masked language model",
    "AutoModelForSeq2SeqLM": "encoder-decoder",
}
"""What the auto classes that are pre-trained here make, in words."""
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


def check_family(
    settings: Model, model_class: str = "AutoModelForCausalLM", such_as: str = "llama, olmo2 or gpt2"
) -> None:
    """Refuse a family that transformers does not know, or that is no model of this class and of the dial's size.

    It is tried on a small model: whether its layers have as many parameters as the dial counts, which those of
    state-space models and of mixtures of experts have not, and whether it sees what it may and nothing else: a causal
    one neither what it has to predict nor the other documents of a row, a masked one what stands on both sides. Those
    of history do not go by the dial, and are known.

    Args:
        settings: family and dial.
        model_class: the auto class that it is pre-trained under.
        such_as: families that are known to follow, to be named.

    Raises:
        GroundupError: naming the nearest right family, or what is wrong with this one.
    """
    family, is_causal = settings.family, model_class == "AutoModelForCausalLM"
    if is_causal and family in history.FAMILIES:
        return
    import transformers
    from transformers import CONFIG_MAPPING

    known = getattr(transformers, model_class)._model_mapping
    if family not in CONFIG_MAPPING or CONFIG_MAPPING[family] not in known:
        names = [name for name, kind in CONFIG_MAPPING.items() if kind in known]
        raise GroundupError(
            "--model.family",
            f"transformers has no {_KINDS[model_class]} '{shown(family)}'",
            nearest(family, [*names, *history.FAMILIES]) if is_causal else f"use {such_as}",
        )
    if fault := _fault(family, model_class):
        text = f"{family}_text"
        is_there = text in CONFIG_MAPPING and CONFIG_MAPPING[text] in known
        better = text if is_there else f"another, such as {such_as}"
        raise GroundupError("--model.family", f"{family} {fault}", f"use {better}")
    if settings.kv_heads and not _has(_default(family), "num_key_value_heads"):
        raise GroundupError(
            "--model.kv-heads",
            f"{family} gives every head its own keys and values",
            "leave it at 0, or use another family, such as llama",
        )


def is_encoder(config: PretrainedConfig) -> bool:
    """Whether a model of this configuration reads a text from both sides, and writes none."""
    from transformers import MODEL_FOR_MASKED_LM_MAPPING

    writes = config.is_encoder_decoder or getattr(config, "is_decoder", False)
    return not writes and type(config) in MODEL_FOR_MASKED_LM_MAPPING


def writes(config: PretrainedConfig, model_class: str) -> bool:
    """Whether a model does what is wanted of it: under the causal class it has to continue what it reads."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    if model_class != "AutoModelForCausalLM":
        return True
    has_causal_form = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING
    return not is_encoder(config) and (has_causal_form or not config.is_encoder_decoder)


def check_writes(config: PretrainedConfig, model_class: str, where: str) -> None:
    """Refuse an encoder, or an encoder-decoder without a causal form, for what a causal model does.

    Args:
        config: of the model.
        model_class: the auto class that the task gives it.
        where: what names the model.

    Raises:
        GroundupError: naming what writes.
    """
    if writes(config, model_class):
        return
    if is_encoder(config):
        raise GroundupError(
            where,
            f"an encoder writes no text, and {config.model_type} is one",
            "start from a model that does, such as llama (or t5 for translation and summarization)",
        )
    raise GroundupError(
        where,
        f"{config.model_type} reads one text and writes another, and does not continue what it reads",
        "start from a causal model, such as llama",
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
    # Half in each part, as many in both: transformers makes its cache for as many layers as the part that reads has.
    layers = max(1, shape.depth // 2) if default.is_encoder_decoder else shape.depth
    sizes: dict[str, Any] = {
        "hidden_size": shape.width,
        "embedding_size": shape.width,
        "num_hidden_layers": layers,
        "num_decoder_layers": layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head,
        "query_pre_attn_scalar": shape.head,  # Gemma's scale of attention
        "intermediate_size": feed_forward,
        "d_ff": feed_forward,  # T5's word for it
        "max_position_embeddings": shape.context,
        "tie_word_embeddings": True,
        **dropouts,
    }
    own = {default.attribute_map.get(n, n): value for n, value in sizes.items() if _has(default, n)}
    ids = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None, **tokens}
    if default.is_encoder_decoder:  # what is written begins with the padding, as T5's does
        ids.setdefault("decoder_start_token_id", ids["pad_token_id"] or 0)
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


def _fault(family: str, model_class: str) -> str:
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
        return _SIGHT[model_class](config)
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


def _sight(config: PretrainedConfig) -> str:
    """What a small masked model does not see and should: what stands on either side."""
    import torch
    from transformers import AutoModelForMaskedLM

    model = AutoModelForMaskedLM.from_config(config, dtype="float32").eval()
    row = torch.arange(shape_of(_PROBE).context)
    first, last = row.clone(), row.clone()
    first[0], last[-1] = row[1], row[-2]
    with torch.no_grad():
        said = model(input_ids=torch.stack([row, first, last])).logits
    middle = len(row) // 2
    if any(torch.equal(said[0, middle], said[other, middle]) for other in (1, 2)):
        return "does not see both sides of what it has to predict"
    return ""


def _reads_and_writes(config: PretrainedConfig) -> str:
    """Nothing, where a small encoder-decoder runs."""
    import torch
    from transformers import AutoModelForSeq2SeqLM

    ids = torch.arange(shape_of(_PROBE).context)[None]
    with torch.no_grad():
        AutoModelForSeq2SeqLM.from_config(config, dtype="float32")(input_ids=ids, decoder_input_ids=ids)
    return ""


_SIGHT: dict[str, Callable[[PretrainedConfig], str]] = {
    "AutoModelForCausalLM": _blindness,
    "AutoModelForMaskedLM": _sight,
    "AutoModelForSeq2SeqLM": _reads_and_writes,
}
"""What is wrong with what a small model of a class sees."""
