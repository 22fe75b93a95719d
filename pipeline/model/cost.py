"""What a model costs: parameters and operations, counted on the model itself; memory; the machine's speed."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode
from transformers import PretrainedConfig, PreTrainedModel

from pipeline.model import history
from pipeline.model.adapters import attach, trained_parameters
from pipeline.model.families import is_encoder
from pipeline.recipe import Adapter


@dataclass(frozen=True)
class Cost:
    """A causal language model's size and work."""

    parameters: int
    matrix_parameters: int
    """Those inside the layers: all but the embeddings."""
    trained: int
    """Those that are trained: all without an adapter."""
    flops_per_token: float
    """Of one training step: matrix products of the forward pass and, twice as many, of the backward pass, output
    layer included. Attention counts with its whole square, as in PaLM (Chowdhery et al., 2022, appendix B), though
    a causal kernel computes half of it; what is computed again to save memory does not count."""


def cost(
    config: PretrainedConfig,
    length: int,
    model_class: str = "AutoModelForCausalLM",
    adapter: Adapter = Adapter(),  # noqa: B008 - frozen
    written: int = 0,
) -> Cost:
    """Count on a model without weights, over one sequence of ``length`` tokens.

    Args:
        config: of the model.
        length: in tokens; a token of a longer sequence costs more, by its attention.
        model_class: the auto class, which decides the head.
        adapter: what is trained of it; weights that are not need no gradient.
        written: tokens that an encoder-decoder writes for those that it reads; 0 takes as many.
    """
    # The attention of choice may exist on a GPU only; the plain one has the same products. Those of experts in groups
    # exist in bfloat16 only.
    model = without_numbers(config, model_class, attn_implementation="eager", dtype=torch.bfloat16)
    with torch.device("meta"):
        parameters, matrices = model.num_parameters(), model.num_parameters(exclude_embeddings=True)
        if adapter.method != "none":
            attach(model, adapter, model_class)
        ids = torch.zeros(1, length, dtype=torch.long)
        with FlopCounterMode(display=False, custom_mapping=_EXPERTS) as counter:
            # Where both sides are seen, the library would look what a mask masks, which has no numbers here.
            both_sides = config.is_encoder_decoder or is_encoder(config)
            told = {} if both_sides else {"attention_mask": torch.ones_like(ids)}
            if model_class == "AutoModelForSeq2SeqLM":
                told["decoder_input_ids"] = torch.zeros(1, written or length, dtype=torch.long)
            output = model(input_ids=ids, use_cache=False, **told)
            sum(tensor.sum() for tensor in output.values()).backward()
    return Cost(
        parameters,
        matrices,
        trained_parameters(model),
        counter.get_total_flops() / length,
    )


def cost_or_estimate(
    config: PretrainedConfig,
    length: int,
    model_class: str,
    adapter: Adapter = Adapter(),  # noqa: B008 - frozen
) -> Cost:
    """The same; where a head looks for its place among the numbers, six operations for each parameter in a layer.

    So do the heads of encoder-decoders for classification, which cannot be counted without weights.
    """
    try:
        return cost(config, length, model_class, adapter)
    except RuntimeError:
        model = without_numbers(config, model_class)
        with torch.device("meta"):
            whole, inside = model.num_parameters(), model.num_parameters(exclude_embeddings=True)
            if adapter.method != "none":
                attach(model, adapter, model_class)
        trained = trained_parameters(model)
        return Cost(whole, inside, trained, 4.0 * inside + 2.0 * min(inside, trained))


def without_numbers(config: PretrainedConfig, model_class: str, **options: Any) -> PreTrainedModel:
    """A model whose parameters have shapes and no content.

    Args:
        config: of the model.
        model_class: the auto class, which decides the head.
        options: of its ``from_config``.
    """
    config = copy.deepcopy(config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # products are taken of whole numbers again
    with torch.device("meta"):
        return getattr(transformers, model_class).from_config(config, **options)


def _grouped_product(rows: torch.Size, experts: torch.Size, *_: object, **__: object) -> int:
    """FLOPs where each row is multiplied by the matrix of its expert, and of the gradient of those matrices."""
    return 2 * rows[0] * rows[1] * experts[-1]


_EXPERTS = {torch.ops.aten._grouped_mm: _grouped_product}
"""What torch's counter does not know."""


def language_model(config: PretrainedConfig) -> PreTrainedModel:
    """The model without weights under the auto class by which it is a language model."""
    kind = transformers.AutoModelForMaskedLM if is_encoder(config) else transformers.AutoModelForCausalLM
    if config.is_encoder_decoder and type(config) not in kind._model_mapping:
        kind = transformers.AutoModelForSeq2SeqLM
    with torch.device("meta"):
        return kind.from_config(config)


def matrix_parameters(config: PretrainedConfig) -> int:
    """Parameters inside the layers, counted on the model without weights."""
    return language_model(config).num_parameters(exclude_embeddings=True)


def embedding_parameters(config: PretrainedConfig) -> tuple[int, int]:
    """Parameters of the token embeddings (and of the output layer, where it is not the same) and of all."""
    model = language_model(config)
    if config.model_type == history.COUNTED:  # and has neither
        return 0, model.num_parameters()
    tables = {
        id(m.weight): m.weight.numel() for m in (model.get_input_embeddings(), model.get_output_embeddings())
    }
    return sum(tables.values()), model.num_parameters()


def activation_bytes(config: Any, tokens: int, bfloat16: bool) -> float:
    """Bytes that the backward pass keeps of ``tokens`` tokens, logits left out.

    17 numbers a token, layer and hidden unit (Korthikanti et al., 2022, without the attention matrix).
    """
    return tokens * 17.0 * (2 if bfloat16 else 4) * config.hidden_size * config.num_hidden_layers


def logits_bytes(config: Any, tokens: int, bfloat16: bool) -> float:
    """Bytes of the logits of ``tokens`` tokens, of their float32 copy and its gradient."""
    return tokens * ((2 if bfloat16 else 4) + 8.0) * config.vocab_size


def measured_flops_per_second(bfloat16: bool, seconds: float = 0.5) -> float:
    """Speed of a square matrix product on one device here."""
    size, device = (8192, "cuda") if torch.cuda.is_available() else (2048, "cpu")
    matrix = torch.ones(size, size, dtype=torch.bfloat16 if bfloat16 else torch.float32, device=device)
    (matrix @ matrix)[0, 0].item()  # warm up; item() waits for the device
    began, products = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        (matrix @ matrix)[0, 0].item()
        products += 1
    return 2 * size**3 * products / (time.monotonic() - began)
