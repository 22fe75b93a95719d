"""Attention roll-out (Abnar and Zuidema, 2020, "Quantifying Attention Flow in Transformers")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import GroundupError, first_line
from pipeline.evaluate.said import Said
from pipeline.explain.asked import ATTENTION_ROLLOUT, Asked
from pipeline.explain.attributed import Scores

_REMEDY = "use --method integrated-gradients"


def rolled_out(attentions: Sequence[Tensor]) -> Tensor:
    """How much of each token there is in each place behind the last layer, by attention alone.

    Of each layer the mean over its heads, half of it, and half the identity, which stands for the residual connection;
    the layers' matrices are multiplied (section 3 of the paper).

    Args:
        attentions: of each layer, ``(heads, tokens, tokens)``, rows adding up to 1.

    Returns:
        ``(tokens, tokens)``, rows adding up to 1.
    """
    joint = torch.eye(attentions[0].shape[-1], dtype=torch.float32, device=attentions[0].device)
    for layer in attentions:
        joint = (0.5 * layer.float().mean(0) + 0.5 * torch.eye(len(joint), device=joint.device)) @ joint
    return joint


@torch.no_grad()
def attention_rollout(model: Any, tokenizer: Any, said: Said, asked: Asked) -> Scores:
    """The rows of the roll-out from which the outcome is computed, in the mean.

    It says how much attention looked at a token, not whether the token speaks for the outcome or against it.

    Raises:
        GroundupError: of models without one stack of attention, or that do not give it out.
    """
    if model.config.is_encoder_decoder:
        raise GroundupError(
            ATTENTION_ROLLOUT, "an encoder-decoder has three stacks of attention, and it follows one", _REMEDY
        )
    ids = {
        name: torch.tensor([list(values)], device=model.device)
        for name, values in said.reading.features.items()
    }
    model.eval()
    with _eager(model):
        outputs = model(**ids, attention_mask=torch.ones_like(ids["input_ids"]), output_attentions=True)
    layers = [layer[0] for layer in outputs.attentions or () if layer is not None and layer.dim() == 4]
    if len(layers) != model.config.get_text_config().num_hidden_layers:
        raise GroundupError(ATTENTION_ROLLOUT, "not all layers of this model give out attention", _REMEDY)
    return Scores(tuple(rolled_out(layers)[list(said.read_at)].mean(0).tolist()))


@contextmanager
def _eager(model: Any) -> Iterator[None]:
    """Attention written out: no other implementation gives it out."""
    usual = model.config._attn_implementation
    try:
        model.set_attn_implementation("eager")
    except (ValueError, ImportError) as error:
        raise GroundupError(
            ATTENTION_ROLLOUT,
            f"this model cannot give out its attention ({first_line(error)[:200]})",
            _REMEDY,
        ) from error
    try:
        yield
    finally:
        model.set_attn_implementation(usual)
