"""ELECTRA's two models as one while they are trained (Clark et al., 2020), and each by itself afterwards."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional
from transformers import ElectraConfig, ElectraForMaskedLM, ElectraForPreTraining, PreTrainedModel
from transformers.utils import ModelOutput

_WEIGHTS = "model.safetensors"


@dataclass
class Told(ModelOutput):
    """What a pass through both models gives."""

    generator: torch.Tensor | None = None
    """Cross-entropy of each hidden token, ``(hidden,)``, nats."""
    discriminator: torch.Tensor | None = None
    """Binary cross-entropy of each token, ``(batch, length)``, nats."""
    logits: torch.Tensor | None = None
    """Of each token having been replaced, ``(batch, length)``."""
    replaced: torch.Tensor | None = None
    """Whether it was, ``(batch, length)``."""


class Electra(PreTrainedModel):
    """Both models while they are trained; the embeddings are the same parameters in both.

    The generator learns hidden tokens as a masked model does, by maximum likelihood, and a token is drawn from what it
    says in the place of each; the discriminator says of every token whether it is another than the text's.

    It looks like the generative adversarial networks of Goodfellow et al. (2014), and is none: the generator is not
    trained to deceive; no gradient of the discriminator reaches it, as a token that is drawn has none; it is given no
    noise; and a token that it draws rightly counts as the text's own.

    Args:
        config: of the discriminator.
        generator: of the generator, of the same embeddings.
    """

    config_class = ElectraConfig
    base_model_prefix = ""
    supports_gradient_checkpointing = True
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _tied_weights_keys = {
        f"generator.electra.embeddings.{table}": f"discriminator.electra.embeddings.{table}"
        for table in (
            "word_embeddings.weight",
            "position_embeddings.weight",
            "token_type_embeddings.weight",
            "LayerNorm.weight",
            "LayerNorm.bias",
        )
    } | {"generator.generator_lm_head.weight": "discriminator.electra.embeddings.word_embeddings.weight"}

    def __init__(self, config: ElectraConfig, generator: ElectraConfig) -> None:
        super().__init__(config)
        self.discriminator, self.generator = ElectraForPreTraining(config), ElectraForMaskedLM(generator)
        self.generator.electra.embeddings = self.discriminator.electra.embeddings
        self.generator.generator_lm_head.weight = self.get_input_embeddings().weight
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Of both."""
        return self.discriminator.get_input_embeddings()

    def set_attn_implementation(self, *arguments: Any, **options: Any) -> None:
        """Of both."""
        self.discriminator.set_attn_implementation(*arguments, **options)
        self.generator.set_attn_implementation(*arguments, **options)

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> Told:
        """A text with hidden tokens, and what they are.

        Args:
            input_ids: ``(batch, length)``.
            labels: ``(batch, length)``, the tokens that are hidden, -100 elsewhere.
        """
        hidden = labels.ge(0)
        wanted = labels[hidden]
        states = self.generator.electra(input_ids).last_hidden_state[hidden]
        said = self.generator.generator_lm_head(self.generator.generator_predictions(states)).float()
        drawn = torch.multinomial(said.detach().softmax(-1), 1).squeeze(1)
        proposed = input_ids.masked_scatter(hidden, drawn)
        replaced = torch.zeros_like(hidden).masked_scatter(hidden, drawn != wanted)
        logits = self.discriminator(proposed).logits.float()
        told = functional.binary_cross_entropy_with_logits(logits, replaced.float(), reduction="none")
        return Told(functional.cross_entropy(said, wanted, reduction="none"), told, logits, replaced)


def generator_config(config: ElectraConfig, share: float) -> ElectraConfig:
    """Of a generator: as deep, and narrower in width, feed-forward part and heads (Clark et al., 2020, section 3.2).

    Args:
        config: of the discriminator.
        share: of its width, rounded to whole heads.
    """
    small = copy.deepcopy(config)
    head = config.hidden_size // config.num_attention_heads
    small.num_attention_heads = max(1, round(share * config.num_attention_heads))
    small.hidden_size = head * small.num_attention_heads
    small.intermediate_size = config.intermediate_size * small.hidden_size // config.hidden_size
    return small


def part(model: PreTrainedModel, name: str, weights: Path) -> PreTrainedModel:
    """One of the two, with its part of the weights of both; what they share may stand in the other's part."""
    whole = load_file(str(weights / _WEIGHTS))
    own = {key.removeprefix(f"{name}."): value for key, value in whole.items() if key.startswith(f"{name}.")}
    missing, unexpected = model.load_state_dict(own, strict=False)
    shared = [key for key in missing if ".embeddings." not in key and key != "generator_lm_head.weight"]
    assert not shared and not unexpected, (shared, unexpected)
    return model
