"""Attention roll-out, worked out by hand on two layers of three tokens."""

from __future__ import annotations

import pytest
import torch

from pipeline.explain.rollout import rolled_out


def test_two_layers_of_three_tokens() -> None:
    # Of the first layer two heads, whose mean is [[1, 0, 0], [.5, .5, 0], [.25, .25, .5]].
    first = torch.tensor(
        [
            [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.0, 0.5]],
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5]],
        ]
    )
    second = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]])
    # Half of each and half the identity: [[1, 0, 0], [.25, .75, 0], [.125, .125, .75]], and the last row of the second
    # layer is [.25, .25, .5]. Their product's last row: .25 + .0625 + .0625, .1875 + .0625, .375.
    found = rolled_out([first, second])
    assert found[2].tolist() == pytest.approx([0.375, 0.25, 0.375])
    assert found[1].tolist() == pytest.approx([0.25, 0.75, 0.0])
    assert found.sum(1).tolist() == pytest.approx([1.0, 1.0, 1.0])
