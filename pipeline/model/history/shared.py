"""What the families of history share: documents in a row, writing without a cache, being known to transformers."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import CausalLMOutputWithPast

_AUTO = {
    "Model": AutoModel,
    "ForCausalLM": AutoModelForCausalLM,
    "ForSequenceClassification": AutoModelForSequenceClassification,
    "ForQuestionAnswering": AutoModelForQuestionAnswering,
}


def positions_in_documents(
    rows: torch.Tensor, position_ids: torch.Tensor | None = None, attention_mask: torch.Tensor | None = None
) -> torch.Tensor:
    """The place of every token in its document, from 0.

    A document ends where the next position is not one more, and where padding begins or ends; without positions and a
    mask a row is one document. transformers' masks go by positions in the same way.

    Args:
        rows: ``(batch, length, …)``, of which the first two sizes count.
        position_ids: ``(batch, length)`` or ``(1, length)``, starting anew with each document.
        attention_mask: ``(batch, length)``, 0 where there is padding.

    Returns:
        ``(batch, length)``, whole numbers.
    """
    batch, length = rows.shape[:2]
    index = torch.arange(length, device=rows.device).expand(batch, length)
    starts = torch.zeros_like(index, dtype=torch.bool)
    if position_ids is not None:
        starts[:, 1:] |= position_ids.expand(batch, length).diff() != 1
    if attention_mask is not None:
        starts[:, 1:] |= attention_mask.long().diff() != 0
    return index - torch.where(starts, index, 0).cummax(1).values


class WithoutAttention:
    """A model that takes whichever implementation of attention is asked for, as it has none that would change."""

    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True


class WithoutCache:
    """A model that writes by reading the whole text again for each token."""

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False

    def prepare_inputs_for_generation(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        logits_to_keep: int = 0,
        **_: Any,
    ) -> dict[str, Any]:
        """All tokens so far, and not the last of them; the mask tells where each text begins."""
        return {"input_ids": input_ids, "attention_mask": attention_mask, "logits_to_keep": logits_to_keep}


class WithOutputLayer(WithoutCache):
    """A causal language model of a body, ``model``, and a layer of an entry for each token, ``lm_head``."""

    model: Any
    lm_head: Any
    config: Any
    loss_function: Any

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **options: Any,
    ) -> CausalLMOutputWithPast:
        """Logits ``(batch, length, |V|)`` of the token after each, and the loss of labels where there are some.

        Args:
            input_ids: ``(batch, length)``.
            attention_mask: ``(batch, length)``, 0 where there is padding.
            position_ids: ``(batch, length)``, starting anew with each document of a row.
            inputs_embeds: ``(batch, length, width)`` in the place of ``input_ids``.
            labels: ``(batch, length)``, -100 where there is none; each is the target of the position before it.
            logits_to_keep: of so many last positions, 0 being all; or which positions.
            options: of the loss, such as ``num_items_in_batch``.
        """
        states = self.model(input_ids, attention_mask, position_ids, inputs_embeds).last_hidden_state
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(states[:, kept])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits, labels, self.config.vocab_size, **options)
        return CausalLMOutputWithPast(loss=loss, logits=logits)


def make_known(config: type[PretrainedConfig], *models: type[PreTrainedModel]) -> None:
    """Register classes with transformers' Auto classes, and have their files saved beside the weights.

    It is done where a file ends and not in Groundup alone: transformers' heads look for the body among what is
    registered, also where the file was found beside the weights.
    """
    AutoConfig.register(config.model_type, config, exist_ok=True)
    config.register_for_auto_class()
    for model in models:
        name = model.__name__
        kind = "Model" if "For" not in name else name[name.index("For") :]
        _AUTO[kind].register(config, model, exist_ok=True)
        model.register_for_auto_class(_AUTO[kind].__name__)
