"""Muon for the matrices inside the layers, AdamW for embeddings, norms and heads, as one optimiser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from pipeline.recipe import Pretrain


class MuonWithAdamW(torch.optim.Optimizer):
    """Two of torch's optimisers behind one interface (Jordan et al., 2024; Loshchilov and Hutter, 2019)."""

    def __init__(self, muon: torch.optim.Muon, adamw: torch.optim.AdamW) -> None:
        self.parts = {"adamw": adamw, "muon": muon}
        super().__init__([*adamw.param_groups, *muon.param_groups], {})
        self._link()

    def _link(self) -> None:
        """Share the groups with the parts, so that a schedule set on this reaches them."""
        self.param_groups = [group for part in self.parts.values() for group in part.param_groups]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One step of each part."""
        loss = closure() if closure is not None else None
        for part in self.parts.values():
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The state of each part by its name."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of ``state_dict``."""
        for name, part in self.parts.items():
            part.load_state_dict(state_dict[name])
        self._link()


def build_muon(model: nn.Module, settings: Pretrain) -> MuonWithAdamW:
    """Muon for two-dimensional weights of the layers; AdamW, without decay on vectors, for all else."""
    matrices: list[nn.Parameter] = []
    embeddings: list[nn.Parameter] = []
    vectors: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and {"layers", "h"} & set(name.split(".")):
            matrices.append(parameter)
        else:
            (embeddings if parameter.ndim >= 2 else vectors).append(parameter)
    muon = torch.optim.Muon(
        matrices, lr=settings.muon_learning_rate, weight_decay=settings.weight_decay, adjust_lr_fn="original"
    )
    groups = [
        {"params": embeddings, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.95), fused=True)
    return MuonWithAdamW(muon, adamw)
