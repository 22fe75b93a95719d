"""Every optimiser that trains here: AdamW, schedule-free AdamW, and Muon for the matrices of the layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from pipeline.errors import GroundupError
from pipeline.model.machine import computes_in_bfloat16
from pipeline.recipe import Finetune, Pretrain
from pipeline.train.muon import Float32Muon

Groups = list[dict[str, Any]]


class MuonWithAdamW(torch.optim.Optimizer):
    """Two of torch's optimisers behind one interface (Jordan et al., 2024; Loshchilov and Hutter, 2019)."""

    def __init__(self, muon: torch.optim.Muon, adamw: torch.optim.AdamW) -> None:
        self.parts = {"adamw": adamw, "muon": muon}
        super().__init__([*adamw.param_groups, *muon.param_groups], {})
        self._link()

    def _link(self) -> None:
        """Share the groups with the parts, so that a schedule set on this reaches them; each has its part's name."""
        self.param_groups = [group for part in self.parts.values() for group in part.param_groups]
        for name, part in self.parts.items():
            for group in part.param_groups:
                group["name"] = name

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


def optimizer_factory(settings: Pretrain | Finetune) -> tuple[Callable[[], Any], dict[str, Any]]:
    """``build_optimizer`` in the form of the Trainer's ``optimizer_cls_and_kwargs``.

    The Trainer refuses a finished optimiser (``optimizers``) under FSDP, and builds one from this when the model
    is where it will be trained.
    """
    return lambda: build_optimizer, {"settings": settings}


def build_optimizer(model: nn.Module, settings: Pretrain | Finetune) -> torch.optim.Optimizer:
    """The optimiser that the settings name, over every weight that is trained, at its peak rate.

    Raises:
        GroundupError: for Muon and a model without matrices inside of layers.
    """
    if settings.optimizer == "muon":
        return _muon_with_adamw(model, settings)
    groups = _decay_groups(model.parameters(), settings.weight_decay)
    if settings.optimizer == "schedule-free":
        from schedulefree import AdamWScheduleFree

        return AdamWScheduleFree(groups, lr=settings.learning_rate, betas=settings.betas)
    return _adamw(groups, settings)


def _adamw(groups: Groups, settings: Pretrain | Finetune) -> torch.optim.AdamW:
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas, fused=True)


def _decay_groups(parameters: Iterable[nn.Parameter], weight_decay: float) -> Groups:
    """Matrices with decay, vectors (norms and biases) without.

    Embeddings count as matrices, as in nanoGPT: where they are tied they are the output layer too.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]


def _muon_with_adamw(model: nn.Module, settings: Pretrain | Finetune) -> MuonWithAdamW:
    """Muon for the matrices of the layers; AdamW for embeddings, heads, vectors and experts fused in one tensor."""
    factors = dict(_layer_matrices(model))
    if not factors:
        raise GroundupError(
            "optimizer muon", f"{type(model).__name__} has no matrices inside of layers", "use adamw"
        )
    groups = [
        {
            "params": [matrix for matrix, own in factors.items() if own == factor],
            "lr": settings.muon_learning_rate * factor,
            "weight_decay": settings.weight_decay / factor,  # torch multiplies it by the group's rate
        }
        for factor in sorted(set(factors.values()))
    ]
    kind = torch.optim.Muon if computes_in_bfloat16() else Float32Muon
    muon = kind(groups, lr=settings.muon_learning_rate, adjust_lr_fn="original")
    rest = [parameter for parameter in model.parameters() if parameter not in factors]
    return MuonWithAdamW(muon, _adamw(_decay_groups(rest, settings.weight_decay), settings))


def _layer_matrices(model: nn.Module) -> Iterator[tuple[nn.Parameter, float]]:
    """Two-dimensional weights inside a list of layers, embeddings left out, each with a factor of Muon's rate.

    torch multiplies the rate by sqrt(max(1, rows / columns)), rows being outputs. GPT-2's ``Conv1D`` holds its
    weight transposed, and sqrt(outputs / inputs) turns one into the other.
    """
    for layers in model.modules():
        if not isinstance(layers, nn.ModuleList):
            continue
        for module in layers.modules():
            if isinstance(module, nn.Embedding):
                continue
            for weight in module.parameters(recurse=False):
                if weight.ndim == 2 and weight.requires_grad:
                    inputs, outputs = weight.shape
                    yield weight, math.sqrt(outputs / inputs) if isinstance(module, Conv1D) else 1.0
