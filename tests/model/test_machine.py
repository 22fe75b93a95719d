"""What a training computes in and on, where its settings leave it open."""

from __future__ import annotations

import pytest
import torch

from pipeline.model import machine
from pipeline.model.machine import Choice, choose, choose_for_many_shapes
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
