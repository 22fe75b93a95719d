"""What a training computes in and on, where its settings leave it open."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.model import machine
from pipeline.model.machine import Choice, choose, choose_for_many_shapes, compute_the_same_twice
from pipeline.recipe import Compile

SHORT, LONG = 1e12, 1e15
"""FLOPs of trainings of seconds, and of an hour, on two cores."""


@pytest.mark.parametrize(
    ("setting", "flops", "compiled"),
    [("auto", SHORT, False), ("auto", LONG, True), ("yes", SHORT, True), ("no", LONG, False)],
)
def test_what_is_long_enough_is_compiled(
    setting: Compile, flops: float, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "can_compile", lambda: True)
    one, many = (
        choose("float32", setting, "auto", flops, 256),
        choose_for_many_shapes("float32", setting, flops, 256),
    )
    assert (one.compiles, one.any_shape) == (compiled, False)
    assert (many.compiles, many.any_shape) == (compiled, True)
    assert f"{'compiled' if compiled else 'not compiled'}, attention" in str(one)
    assert f"{'compiled for any shape' if compiled else 'not compiled'}, attention" in str(many)
    monkeypatch.setattr(machine, "can_compile", lambda: False)
    assert not choose("float32", setting, "auto", flops, 256).compiles
    assert not choose_for_many_shapes("float32", setting, flops, 256).compiles


def test_liger_s_kernels_are_taken_on_gpus_where_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, compiled = (
        Choice(bfloat16=True, compiles=compiles, attention="sdpa") for compiles in (False, True)
    )
    monkeypatch.setattr(machine, "is_liger_kernel_available", lambda: True)
    assert not plain.liger and "Liger" not in str(plain)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    assert plain.liger and str(plain) == "bfloat16, not compiled, Liger's kernels, attention sdpa, a GPU"
    assert not compiled.liger
    monkeypatch.setattr(machine, "is_liger_kernel_available", lambda: False)
    assert not plain.liger


def test_on_gpus_batches_of_many_shapes_are_compiled_if_one_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "can_compile", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not choose_for_many_shapes("float32", "auto", 1e30, 256).compiles
    assert choose_for_many_shapes("float32", "yes", SHORT, 256).compiles


def test_a_compiled_embedding_has_the_same_gradient_each_time() -> None:
    """Two threads would else add to its few rows as they come by, and round otherwise each time."""
    threads, before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    embedding = nn.Embedding(8, 256)
    compiled = torch.compile(embedding)
    ids, weights = torch.randint(0, 8, (4096,)), torch.randn(4096, 256)
    gradients = []
    try:
        torch.set_num_threads(2)
        compute_the_same_twice()
        for _ in range(10):
            embedding.zero_grad()
            compiled(ids).backward(weights)
            assert embedding.weight.grad is not None
            gradients.append(embedding.weight.grad.clone())
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(before)
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)
