"""Optimisers: every weight is in one of them, with the rate and decay it should have, and resumption is exact."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForCausalLM, BertConfig, BertForSequenceClassification, Trainer
from transformers.pytorch_utils import Conv1D

from pipeline.errors import GroundupError
from pipeline.model.families import model_config
from pipeline.recipe import Finetune, Model, Optimizer, Pretrain
from pipeline.train.arguments import training_arguments
from pipeline.train.faults.resuming import train_or_resume
from pipeline.train.optimizer import MuonWithAdamW, build_optimizer, optimizer_factory
from tests.train.small_training import CAUSAL, PLAIN, examples, model_with

MUON = Pretrain(optimizer="muon", learning_rate=3e-3, weight_decay=0.1)


def _model(family: str) -> nn.Module:
    torch.manual_seed(0)
    settings = Model(family=family, depth=2, width=64, context=16)
    return AutoModelForCausalLM.from_config(model_config(settings, 128), dtype=torch.float32)


def _bert() -> nn.Module:
    config = BertConfig(
        vocab_size=128, hidden_size=64, num_hidden_layers=2, num_attention_heads=1, intermediate_size=128
    )
    return BertForSequenceClassification(config)


def _muon(model: nn.Module) -> MuonWithAdamW:
    optimizer = build_optimizer(model, MUON)
    assert isinstance(optimizer, MuonWithAdamW)
    return optimizer


@pytest.mark.parametrize(
    ("make", "layers"),
    [
        (lambda: _model("qwen3"), ".layers."),
        (lambda: _model("llama"), ".layers."),
        (lambda: _model("gpt2"), ".h."),
        (_bert, ".layer."),
    ],
)
def test_matrices_of_the_layers_go_to_muon_and_all_else_to_adamw(
    make: Callable[[], nn.Module], layers: str
) -> None:
    model = make()
    optimizer = _muon(model)
    in_muon = {id(p) for group in optimizer.parts["muon"].param_groups for p in group["params"]}
    everything = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(everything) == sorted(id(p) for p in model.parameters())
    assert in_muon == {id(p) for n, p in model.named_parameters() if layers in n and p.ndim == 2}


@pytest.mark.parametrize("optimizer", ["muon", "adamw", "schedule-free"])
def test_vectors_do_not_decay_and_frozen_weights_do_not_train(optimizer: Optimizer) -> None:
    model = _model("gpt2")
    frozen = model.get_submodule("transformer.wpe").weight
    frozen.requires_grad_(False)
    built = build_optimizer(model, replace(MUON, optimizer=optimizer))
    decays = {id(p): group["weight_decay"] > 0 for group in built.param_groups for p in group["params"]}
    assert decays == {id(p): p.ndim > 1 for p in model.parameters() if p is not frozen}


def test_muon_steps_alike_on_transposed_weights() -> None:
    for inputs, outputs in ((8, 32), (32, 8)):
        torch.manual_seed(0)
        plain, transposed = nn.Linear(inputs, outputs, bias=False), Conv1D(outputs, inputs)
        with torch.no_grad():
            transposed.weight.copy_(plain.weight.T)
        models = [nn.Sequential(nn.ModuleList([layer]), nn.Embedding(2, 2)) for layer in (plain, transposed)]
        gradient = torch.randn(outputs, inputs)
        plain.weight.grad, transposed.weight.grad = gradient, gradient.T.clone()
        for model in models:
            _muon(model).step()
        assert torch.allclose(plain.weight, transposed.weight.T, atol=1e-4)


def test_muon_without_matrices_is_refused() -> None:
    with pytest.raises(GroundupError, match="no matrices inside of layers; use adamw"):
        build_optimizer(nn.Embedding(2, 2), MUON)


def test_a_schedule_reaches_both_parts_also_after_loading() -> None:
    optimizer = _muon(_model("qwen3"))
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 0.5)
    assert optimizer.parts["adamw"].param_groups[0]["lr"] == MUON.learning_rate * 0.5
    assert optimizer.parts["muon"].param_groups[0]["lr"] == MUON.muon_learning_rate * 0.5


def _trainer(optimizer: Optimizer, directory: Path) -> Trainer:
    """Eight steps on two examples each, with a checkpoint after the third and the sixth."""
    settings = Finetune(
        optimizer=optimizer,
        schedule="constant" if optimizer == "schedule-free" else "linear",
        steps=8,
        global_batch=2,
        micro_batch=2,
        checkpoint_every=3,
    )
    return Trainer(
        model=model_with(CAUSAL),
        args=training_arguments(settings, PLAIN, directory, seed=0),
        train_dataset=examples(CAUSAL, 16),
        eval_dataset=examples(CAUSAL, 4),
        optimizer_cls_and_kwargs=optimizer_factory(settings),
    )


@pytest.mark.parametrize("optimizer", ["muon", "adamw", "schedule-free"])
def test_a_resumed_training_ends_with_the_same_weights(optimizer: Optimizer, tmp_path: Path) -> None:
    whole = _trainer(optimizer, tmp_path)
    train_or_resume(whole, tmp_path)
    for later in ("checkpoint-6", "checkpoint-8"):
        (tmp_path / later / "trainer_state.json").unlink()  # as if cut off after the third step
    resumed = _trainer(optimizer, tmp_path)
    train_or_resume(resumed, tmp_path)
    ends = zip(whole.model.parameters(), resumed.model.parameters(), strict=True)
    assert resumed.state.global_step == 8 and all(torch.equal(a, b) for a, b in ends)


def test_checkpoints_and_measurements_are_of_the_average(tmp_path: Path) -> None:
    trainer = _trainer("schedule-free", tmp_path)
    train_or_resume(trainer, tmp_path)
    trained = {name: weight.clone() for name, weight in trainer.model.named_parameters()}
    saved = load_file(tmp_path / "checkpoint-8" / "model.safetensors")
    assert all(torch.equal(saved[name], weight) for name, weight in trained.items())
    loss = trainer.evaluate()["eval_loss"]
    assert all(torch.equal(w, trained[name]) for name, w in trainer.model.named_parameters())
    trainer.optimizer.train()  # to where the gradient would be taken next
    assert not all(torch.allclose(w, trained[name]) for name, w in trainer.model.named_parameters())
    assert trainer.evaluate()["eval_loss"] == pytest.approx(loss, abs=1e-5)
