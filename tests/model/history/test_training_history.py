"""Families of history go through the chain that all others go through, and an interruption changes nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.model import history
from pipeline.model.machine import compiling
from pipeline.model.published import load_model
from pipeline.recipe import Finetune, Recipe
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
from pipeline.train.arguments import training_arguments
from pipeline.train.faults.checkpoints import resumes_at
from pipeline.train.faults.resuming import train_or_resume
from pipeline.train.finetune import trainer_for
from pipeline.train.optimizer import optimizer_factory
from tests.model.history.small import LENGTH, small, tokens
from tests.train.small_training import PLAIN

TRAINED = [*history.TRAINED]


def _trained(family: str, directory: Path) -> dict[str, torch.Tensor]:
    """Weights after four steps on rows of two documents."""
    model = small(family).float()
    positions = [*range(5), *range(LENGTH - 5)]
    data: list[dict[str, Any]] = [
        {"input_ids": row, "labels": row, "position_ids": positions} for row in tokens(16).tolist()
    ]
    settings = Finetune(steps=4, global_batch=4, learning_rate=1e-2, checkpoint_every=2, warmup=0.0)
    trainer = trainer_for(
        model,
        data[0],
        args=training_arguments(settings, PLAIN, directory, seed=0),
        train_dataset=data,
        optimizer_cls_and_kwargs=optimizer_factory(settings),
    )
    train_or_resume(trainer, directory)
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


@pytest.mark.parametrize("family", TRAINED)
def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(family: str, tmp_path: Path) -> None:
    whole = _trained(family, tmp_path)
    shutil.rmtree(tmp_path / "checkpoint-4")
    assert resumes_at(tmp_path) == 2
    again = _trained(family, tmp_path)
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    before = dict(small(family).float().named_parameters())
    assert not any(torch.equal(weight, before[name]) for name, weight in whole.items())


@pytest.fixture(scope="module")
def prepared(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Path]:
    """The tiny recipe, and a runs directory with its corpus and tokenizer."""
    recipe, runs = load_recipe(str(tiny)), tmp_path_factory.mktemp("runs")
    Run(recipe, runs).finish("tokenizer")
    return recipe, runs


@pytest.mark.parametrize("family", TRAINED)
def test_it_is_pre_trained_and_fine_tuned_as_others_are(family: str, prepared: tuple[Recipe, Path]) -> None:
    recipe, runs = prepared
    tasks = {
        name: replace(recipe.tasks[name], from_scratch=False) for name in ("sentiment", "qa", "translation")
    }
    pretraining = replace(
        recipe.pretrain, optimizer="adamw", learning_rate=1e-2, steps=20, checkpoint_every=20
    )
    model = replace(recipe.model, family=family, width=32, depth=2)
    run = Run(replace(recipe, model=model, pretrain=pretraining, tasks=tasks), runs)
    out = run.finish("pretrain")
    row = json.loads((out.path / "metrics.json").read_text())["model"]
    lines = [json.loads(line) for line in (out.path / "log.jsonl").read_text().splitlines()]
    measured = [line["bits_per_byte"] for line in lines if "bits_per_byte" in line]
    assert len(measured) == 7 and measured[0] > measured[-1] == pytest.approx(row["bits_per_byte"])
    assert (
        row["tokens"] == 20 * 4 * 64
        and row["parameters"] == load_model(str(out.path), "AutoModelForCausalLM").num_parameters()
    )
    for task in tasks:
        metrics = json.loads((run.finish(f"finetune/{task}").path / "metrics.json").read_text())
        assert metrics["model"]["trainable"] == metrics["model"]["parameters"] > 0


def test_auto_compiles_no_loop_over_tokens() -> None:
    assert compiling("auto", "lstm") == "no" and compiling("yes", "lstm") == "yes"
    assert compiling("auto", "llama") == "auto"
