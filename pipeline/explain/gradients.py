"""Integrated gradients (Sundararajan et al., 2017, "Axiomatic Attribution for Deep Networks"), by Captum."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from pipeline.errors import GroundupError
from pipeline.evaluate.said import Said
from pipeline.explain.asked import BATCH_TOKENS, Asked
from pipeline.explain.attributed import Scores

_READS_ONCE = "it is explained where the model reads its text once, in an encoder or in a decoder alone"


def integrated_gradients(model: Any, tokenizer: Any, said: Said, asked: Asked) -> Scores:
    """The gradients of the outcome's score along the straight path from a baseline to the text, times their distance.

    Equation 1 of the paper, summed over each embedding. The baseline keeps what belongs to no text; all else is the
    mean of the embeddings, or padding. The scores add up to what the outcome's score has over the baseline's, but for
    ``gap``, which is the error of the sum that stands for the integral (Captum's convergence delta).

    Args:
        model: that said it.
        tokenizer: of the model.
        said: the outcome, and what was read.
        asked: steps and baseline.

    Raises:
        GroundupError: of a model that reads its text twice, or has no embedding of padding where that is asked for.
    """
    model.eval()
    embedding, given = _embedding(model, said), _given(model, said)
    at = torch.tensor([said.outcome.positions], dtype=torch.long, device=model.device)
    with torch.no_grad():
        vectors = embedding(given["input_ids"]).detach()
        baseline = vectors.clone()
        moved = [p for p, place in enumerate(said.reading.places) if place is not None]
        baseline[0, moved] = _blank(embedding, tokenizer, asked, model.device)

    def score(rows: Tensor) -> Tensor:
        several = {name: values.expand(len(rows), -1) for name, values in given.items()}
        with _embedded(embedding, rows):
            return said.outcome.score(model(**several), at.expand(len(rows), -1))

    tokens = vectors.shape[1]
    each = max(tokens, said.outcome.numbers(model.config, tokens) // 2**12)
    found, gap = IntegratedGradients(score).attribute(
        vectors,
        baseline,
        n_steps=asked.steps,
        internal_batch_size=max(1, BATCH_TOKENS // each),
        return_convergence_delta=True,
    )
    with torch.no_grad():
        whole, begun = float(score(vectors)), float(score(baseline))
    facts = {"score": whole, "baseline_score": begun, "gap": float(gap), "steps": float(asked.steps)}
    return Scores(tuple(found[0].sum(-1).tolist()), facts)


def _given(model: Any, said: Said) -> dict[str, Tensor]:
    features = {**said.reading.features, **said.beside}
    given = {name: torch.tensor([list(ids)], device=model.device) for name, ids in features.items()}
    return {**given, "attention_mask": torch.ones_like(given["input_ids"])}


def _embedding(model: Any, said: Said) -> Any:
    """The layer that turns what is read into vectors."""
    if not model.config.is_encoder_decoder:
        return model.get_input_embeddings()
    if not said.beside:
        raise GroundupError("integrated-gradients", "this model reads its text twice", _READS_ONCE)
    return model.get_encoder().get_input_embeddings()


def _blank(embedding: Any, tokenizer: Any, asked: Asked, device: Any) -> Tensor:
    there = min(len(tokenizer), embedding.num_embeddings)
    if asked.baseline == "mean":
        return embedding(torch.arange(there, device=device)).mean(0)
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id >= there:
        raise GroundupError("--baseline padding", "padding has no embedding in this model", "use mean")
    return embedding(torch.tensor([tokenizer.pad_token_id], device=device))[0]


@contextmanager
def _embedded(embedding: Any, vectors: Tensor) -> Iterator[None]:
    """Let the layer give these vectors the next time, ``(rows, tokens, width)``; a decoder may ask it again."""
    ready = [vectors]
    handle = embedding.register_forward_hook(lambda _module, _ids, usual: ready.pop() if ready else usual)
    try:
        yield
    finally:
        handle.remove()
    assert not ready, "the embeddings were not asked for"
