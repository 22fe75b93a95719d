"""However a global batch is divided, into micro-batches or among processes, its gradient is that of one large batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch._dynamo.utils import counters

from pipeline.model.machine import Choice
from pipeline.recipe import Finetune
from pipeline.tasks import task_named
from tests.forked import forked
from tests.train.small_training import (
    CLASSES,
    TRAININGS,
    Gradients,
    large_batch_gradients,
    model_with,
    trained_gradients,
    trained_weights,
)


def distance(found: Gradients, wanted: Gradients) -> float:
    """The largest of all steps, relative to the gradient's norm."""

    def norm(gradient: dict[str, torch.Tensor]) -> float:
        return float(sum(part.square().sum() for part in gradient.values())) ** 0.5

    return max(
        norm({name: a[name] - b[name] for name in b}) / norm(b) for a, b in zip(found, wanted, strict=True)
    )


@pytest.mark.parametrize("micro_batch", [1, 2, 4])
@pytest.mark.parametrize(("stage", "head"), TRAININGS)
def test_micro_batches_add_up_to_the_large_batch(stage: str, head: str, micro_batch: int) -> None:
    # Eleven examples make two global batches of four, and one of three: its last micro-batch is cut short.
    found = trained_gradients(stage, head, count=11, micro_batch=micro_batch)
    assert len(found) == 3 and distance(found, large_batch_gradients(head, 11)) < 1e-6


@pytest.mark.parametrize("micro_batch", [1, 3])
def test_weights_of_classes_are_the_same_however_the_batch_is_divided(micro_batch: int) -> None:
    config = model_with(CLASSES).config
    config.class_weights = dict(zip(config.label2id, (0.6, 2.5), strict=True))
    loss = task_named("sentiment", Finetune()).loss(config)
    found = trained_gradients("finetune", CLASSES, count=11, micro_batch=micro_batch, loss=loss)
    assert len(found) == 3 and distance(found, large_batch_gradients(CLASSES, 11, (0.6, 2.5))) < 1e-6


@pytest.mark.parametrize(("stage", "head"), TRAININGS)
def test_layers_that_are_compiled_change_nothing(stage: str, head: str) -> None:
    counters.clear()
    choice = Choice(bfloat16=False, compiles=True, attention="sdpa", any_shape=stage == "finetune")
    found = trained_gradients(stage, head, 11, 2, choice, torch_compile_backend="aot_eager")
    assert counters["stats"]["unique_graphs"]
    assert len(found) == 3 and distance(found, large_batch_gradients(head, 11)) < 1e-6


def test_processes_add_up_to_the_large_batch_and_stay_alike(tmp_path: Path) -> None:
    done = forked(tmp_path / "said", "tests.train.small_training", tmp_path, processes=2).ended()
    assert done.returncode == 0, done.stderr
    (gradients, weights), (_, others) = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    for (stage, head), found in gradients.items():
        assert distance(found, large_batch_gradients(head, 10)) < 1e-6, stage
    for optimizer, ends in weights.items():
        assert all(torch.equal(ends[name], others[optimizer][name]) for name in ends), optimizer
        if optimizer != "muon":  # it computes in bfloat16, where small differences grow
            alone = trained_weights(optimizer, micro_batch=2)
            assert all(torch.allclose(alone[name], ends[name], atol=1e-5) for name in ends), optimizer
