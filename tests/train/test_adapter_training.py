"""Training an adapter: the weights beneath it do not change, and an interruption changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from pipeline.model.adapters import attach
from pipeline.recipe import Adapter, AdapterKind, Finetune
from pipeline.train.arguments import training_arguments
from pipeline.train.faults.checkpoints import resumes_at
from pipeline.train.faults.resuming import train_or_resume
from pipeline.train.finetune import trainer_for
from pipeline.train.optimizer import optimizer_factory
from tests.train.small_training import CAUSAL, CLASSES, PLAIN, SPANS, examples, model_with

Weights = dict[str, torch.Tensor]


def _trained(head: str, kind: AdapterKind, directory: Path) -> tuple[Weights, Weights]:
    """What is trained after four steps, and what is not."""
    tokens = (3, 5) if head == CAUSAL else ()
    model = attach(model_with(head), Adapter(kind=kind, rank=4), head, tokens)
    settings = Finetune(steps=4, global_batch=4, learning_rate=1e-2, checkpoint_every=2, warmup=0.0)
    data = examples(head, 16)
    trainer = trainer_for(
        model,
        data[0],
        args=training_arguments(settings, PLAIN, directory, seed=0),
        train_dataset=data,
        optimizer_cls_and_kwargs=optimizer_factory(settings),
    )
    train_or_resume(trainer, directory)
    weights = {name: p.detach().clone() for name, p in model.named_parameters()}
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    return {n: w for n, w in weights.items() if n in trained}, {
        n: w for n, w in weights.items() if n not in trained
    }


@pytest.mark.parametrize(("head", "kind"), [(CAUSAL, "lora"), (CLASSES, "dora"), (SPANS, "lora")])
def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(
    head: str, kind: AdapterKind, tmp_path: Path
) -> None:
    trained, frozen = _trained(head, kind, tmp_path)
    shutil.rmtree(tmp_path / "checkpoint-4")
    assert resumes_at(tmp_path) == 2
    again, _ = _trained(head, kind, tmp_path)
    assert trained.keys() == again.keys() and all(torch.equal(trained[n], again[n]) for n in trained)
    before = attach(model_with(head), Adapter(kind=kind, rank=4), head, (3, 5) if head == CAUSAL else ())
    start = dict(before.named_parameters())
    assert frozen and all(torch.equal(weight, start[name]) for name, weight in frozen.items())
    moved = [n for n, w in trained.items() if not torch.equal(w, start[n])]
    assert any("lora_B" in name for name in moved)
