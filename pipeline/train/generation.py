"""How a fine-tuned model writes when nothing else is said: what is saved with it."""

from __future__ import annotations

from typing import Any

from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from pipeline.tasks.base import Task

_OF_THE_FAMILY = ("decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id", "bad_words_ids")
"""What a published encoder-decoder needs to begin and to end; its lengths and beams were chosen for other data."""


def generation_config(
    task: Task, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel
) -> GenerationConfig | None:
    """Special tokens, longest answer, sampling and what the task adds; None for a model with another head."""
    if not model.can_generate():
        return None
    options: dict[str, Any] = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": model.config.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "max_new_tokens": task.settings.max_new_tokens,
    }
    if model.config.is_encoder_decoder:
        options |= {name: own for name in _OF_THE_FAMILY if (own := _own(model, name)) is not None}
    if task.settings.temperature:
        sampling = {"do_sample": True, "temperature": task.settings.temperature, "top_p": task.settings.top_p}
        options |= sampling
    return GenerationConfig(**{**options, **task.generation(tokenizer)})


def _own(model: PreTrainedModel, name: str) -> Any:
    saved = getattr(model.generation_config, name, None)
    return getattr(model.config, name, None) if saved is None else saved
