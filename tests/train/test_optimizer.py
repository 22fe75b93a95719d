"""Muon and AdamW as one optimiser: every weight is in one of them, and its state survives saving."""

from __future__ import annotations

import copy

import torch
from transformers import AutoModelForCausalLM

from pipeline.model.families import model_config
from pipeline.recipe import Model, Pretrain
from pipeline.train.optimizer import build_muon


def _model(family: str) -> torch.nn.Module:
    torch.manual_seed(0)
    settings = Model(family=family, depth=2, width=64, context=16)  # type: ignore[arg-type]  # a Literal
    return AutoModelForCausalLM.from_config(model_config(settings, 128), dtype=torch.float32)


def test_matrices_of_the_layers_go_to_muon_and_all_else_to_adamw() -> None:
    for family in ("qwen3", "llama"):
        model = _model(family)
        optimizer = build_muon(model, Pretrain())
        in_muon = {id(p) for group in optimizer.parts["muon"].param_groups for p in group["params"]}
        everything = [id(p) for group in optimizer.param_groups for p in group["params"]]
        assert sorted(everything) == sorted(id(p) for p in model.parameters())
        assert in_muon == {id(p) for n, p in model.named_parameters() if ".layers." in n and p.ndim == 2}


def test_a_loaded_state_goes_on_exactly() -> None:
    model = _model("qwen3")
    optimizer = build_muon(model, Pretrain())
    ids = torch.randint(0, 128, (2, 16), generator=torch.Generator().manual_seed(0))

    def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()

    step(model, optimizer)
    twin = copy.deepcopy(model)
    other = build_muon(twin, Pretrain())
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    other.param_groups[0]["lr"] = optimizer.param_groups[0]["lr"]
    step(model, optimizer)
    step(twin, other)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))


def test_a_schedule_reaches_both_parts() -> None:
    optimizer = build_muon(_model("qwen3"), Pretrain())
    optimizer.load_state_dict(optimizer.state_dict())
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 0.5)
    assert optimizer.parts["adamw"].param_groups[0]["lr"] == Pretrain().learning_rate * 0.5
    assert optimizer.parts["muon"].param_groups[0]["lr"] == Pretrain().muon_learning_rate * 0.5
