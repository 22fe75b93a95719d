"""A small model of each family of history, the same at every call."""

from __future__ import annotations

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from pipeline.model.families import model_config
from pipeline.recipe import Model

ENTRIES, LENGTH = 20, 12


def settings_of(family: str, **others: int | bool) -> Model:
    """Of a model of two layers of eight units, where the family has them."""
    return Model(**{"family": family, "depth": 2, "width": 8, "context": LENGTH, **others})  # type: ignore[arg-type]


def small(family: str, **others: int | bool) -> PreTrainedModel:
    """A causal language model in float64 that says something: its weights are far from nought."""
    torch.manual_seed(0)
    config = model_config(settings_of(family, **others), ENTRIES, pad_token_id=0, eos_token_id=1)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float64).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.7)
    return model


def tokens(rows: int = 2, length: int = LENGTH) -> torch.Tensor:
    """Random ids, neither padding nor the end of text, ``(rows, length)``."""
    return torch.randint(2, ENTRIES, (rows, length), generator=torch.Generator().manual_seed(0))


def numbers(model: PreTrainedModel) -> dict[str, object]:
    """The weights by their names, as arrays of numpy."""
    return {name: weight.numpy() for name, weight in model.state_dict().items()}
