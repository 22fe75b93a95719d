"""The dial: what follows from a number of layers or a name, and that each of it can be set."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import get_args

import pytest

from pipeline.model.cost import matrix_parameters
from pipeline.model.dial import SIZES, layer_parameters, position, shape_of
from pipeline.model.families import model_config
from pipeline.recipe import Model, Size


def test_every_name_has_its_sizes() -> None:
    assert tuple(SIZES) == get_args(Size)
    sizes = [layer_parameters(shape_of(Model(depth=name))) for name in SIZES]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (Model(depth=1), (1, 128, 2, 2, 256)),
        (Model(depth=6), (6, 384, 6, 6, 256)),
        (Model(depth=12), (12, 768, 12, 12, 1024)),
        (Model(depth=30), (30, 1920, 30, 30, 2048)),
        (Model(depth="gpt2-small"), (12, 768, 12, 12, 1024)),
        (Model(depth="350m"), (24, 1024, 16, 16, 2048)),
        (Model(depth="350m", width=1536, heads=8, kv_heads=2, context=512), (24, 1536, 8, 2, 512)),
    ],
)
def test_shapes(settings: Model, shape: tuple[int, ...]) -> None:
    assert astuple(shape_of(settings)) == shape


def test_a_resolved_shape_is_found_on_the_dial_again() -> None:
    for name in SIZES:
        shape = shape_of(Model(depth=name))
        assert position(Model(depth=shape.depth, width=shape.width)) == name
    assert position(Model(depth=7)) == 7


@pytest.mark.parametrize("kv_heads", [0, 1, 2])
def test_fewer_heads_of_keys_and_values_have_fewer_parameters(kv_heads: int) -> None:
    settings = Model(depth=2, width=256, kv_heads=kv_heads)
    counted = matrix_parameters(model_config(settings, 64))
    assert layer_parameters(shape_of(settings)) == pytest.approx(counted, rel=0.03)
    fewer = replace(settings, kv_heads=1)
    assert layer_parameters(shape_of(fewer)) <= layer_parameters(shape_of(settings))
