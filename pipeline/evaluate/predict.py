"""Prediction in batches of like length: generation with the cache, and forward passes for heads.

All is computed in the precision of the weights, as whoever loads the model has it, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DataCollatorWithPadding, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from pipeline.model.out_of_memory import Parts

_MOST_LOGITS = 2**24
"""Numbers in the logits of one batch, unless they are those of one sequence: 64 MB in float32."""
_REMEDY = "use a smaller --max-tokens or --max-new-tokens, or a machine with more memory"


def batches_by_length(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Positions in batches of at most ``most`` tokens, or one sequence that is longer.

    Longest first, so that little is padding and memory fails early.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    start = 0
    while start < len(order):
        end = start + max(1, most // max(1, lengths[order[start]]))
        yield order[start:end]
        start = end


@dataclass(frozen=True)
class Continuation:
    """What a model wrote."""

    text: str
    """Without special tokens."""
    ended: bool
    """Whether the model itself made an end, before it was stopped."""
    ids: tuple[int, ...] = ()
    """Its tokens up to the end that the model made, and that alone where there are no others."""


def generate_texts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    batch_tokens: int,
    **options: Any,
) -> list[str]:
    """The texts of ``continuations``."""
    written = continuations(model, tokenizer, prompts, max_new_tokens, batch_tokens, **options)
    return [continuation.text for continuation in written]


@torch.no_grad()
def continuations(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    batch_tokens: int,
    **options: Any,
) -> list[Continuation]:
    """What a model writes after tokenised prompts, or, an encoder-decoder, having read them.

    It takes the likeliest token, or as many beams as its generation configuration says, unless ``options`` for
    ``generate`` say otherwise.

    Args:
        batch_tokens: what the cache may hold, prompts and continuations, of all beams.
    """
    model.eval()
    reads = bool(model.config.is_encoder_decoder)
    beams = options.get("num_beams") or (model.generation_config and model.generation_config.num_beams) or 1
    written = [Continuation("", False)] * len(prompts)
    parts = Parts("generation", _REMEDY)

    def produced(batch: list[int]) -> torch.Tensor:
        ids, mask = _padded([prompts[i] for i in batch], tokenizer.pad_token_id, left=not reads)
        tokens = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
            **{"do_sample": False, **options},
        )
        return tokens[:, 0 if reads else ids.shape[1] :]

    for batch in batches_by_length([beams * (len(p) + max_new_tokens) for p in prompts], batch_tokens):
        for part, new in parts.each(batch, produced):
            for i, tokens in zip(part, new, strict=True):
                text = tokenizer.decode(tokens, skip_special_tokens=True).strip()
                own = tokens[1:] if reads else tokens
                written[i] = Continuation(text, _ended(own, model), _to_end(own.tolist(), model))
    return written


def _padded(
    sequences: Sequence[Sequence[int]], padding: int, left: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, ``(sequences, longest)``."""
    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), padding)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        place = slice(longest - len(sequence), None) if left else slice(len(sequence))
        ids[row, place], mask[row, place] = torch.tensor(sequence, dtype=torch.long), 1
    return ids, mask


def _ended(tokens: torch.Tensor, model: PreTrainedModel) -> bool:
    return bool(torch.isin(tokens, torch.tensor(_ends(model), device=tokens.device)).any())


def _ends(model: PreTrainedModel) -> list[int]:
    ends = model.generation_config.eos_token_id if model.generation_config else None
    return [] if ends is None else [ends] if isinstance(ends, int) else list(ends)


def _to_end(tokens: list[int], model: PreTrainedModel) -> tuple[int, ...]:
    end = next((place for place, token in enumerate(tokens) if token in _ends(model)), len(tokens))
    return tuple(tokens[: max(end, 1)])


@torch.no_grad()
def forward_batches(
    model: PreTrainedModel,
    features: Sequence[dict[str, Any]],
    collate: Callable[[list[dict[str, Any]]], Any],
    batch_tokens: int,
) -> Iterator[tuple[list[int], Any]]:
    """The model's outputs batch by batch, each with the positions of its features.

    Args:
        features: each with ``input_ids``; what ``collate`` takes.
        batch_tokens: in one batch, padding included.
    """
    model.eval()
    parts = Parts("prediction", _REMEDY)

    def outputs(batch: list[int]) -> Any:
        return model(**collate([features[i] for i in batch]).to(model.device))

    for batch in batches_by_length([len(f["input_ids"]) for f in features], batch_tokens):
        yield from parts.each(batch, outputs)


def logit_tokens(config: PreTrainedConfig, batch_tokens: int) -> int:
    """Tokens of one batch: as asked, or so many as their logits over the vocabulary have room for."""
    return min(batch_tokens, _MOST_LOGITS // config.get_text_config().vocab_size)


def summed_losses(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    features: Sequence[dict[str, Any]],
    batch_tokens: int,
) -> list[float]:
    """Negative log-likelihood of each feature's labels, summed, in nats.

    Args:
        features: each with ``input_ids`` and ``labels``.
        batch_tokens: in one batch, padding included; fewer where the vocabulary is large.
    """
    from pipeline.evaluate.targets import PadTargets

    pad = PadTargets(tokenizer)

    def without_labels(features: list[dict[str, Any]]) -> Any:
        batch = pad(features)
        del batch["labels"]  # the model would take the loss of all together
        return batch

    nats = [0.0] * len(features)
    most = logit_tokens(model.config, batch_tokens)
    for batch, outputs in forward_batches(model, features, without_labels, most):
        labels = pad([features[i] for i in batch])["labels"].to(outputs.logits.device)
        for number, logits, wanted in zip(batch, outputs.logits, labels, strict=True):
            loss = torch.nn.functional.cross_entropy(logits[:-1].float(), wanted[1:], reduction="sum")
            nats[number] = float(loss)
        del outputs, logits  # before those of the next batch are there
    return nats


@torch.no_grad()
def mean_logits(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    features: Sequence[Sequence[dict[str, Any]]],
    batch_tokens: int,
) -> torch.Tensor:
    """A classifier's logits, averaged over the windows of a text.

    Args:
        features: of each example one or more, whose logits are averaged; each with ``input_ids``.
        batch_tokens: in one batch, padding included.

    Returns:
        ``(examples, outputs)``, in float32.
    """
    flat = [(i, feature) for i, several in enumerate(features) for feature in several]
    found = torch.zeros(len(features), model.config.num_labels)
    every, collate = [feature for _, feature in flat], DataCollatorWithPadding(tokenizer)
    for batch, outputs in forward_batches(model, every, collate, batch_tokens):
        found.index_add_(0, torch.tensor([flat[n][0] for n in batch]), outputs.logits.float().cpu())
    return found / torch.tensor([[float(len(several))] for several in features])
