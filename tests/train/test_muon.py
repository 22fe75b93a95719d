"""Muon in float32: what torch's does, more exactly."""

from __future__ import annotations

import pytest
import torch

from pipeline.train.muon import Float32Muon, orthogonal

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


@pytest.mark.parametrize("shape", [(24, 24), (16, 48), (48, 16)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    found = left.T @ orthogonal(matrix, COEFFICIENTS, 5, 1e-7) @ right.T
    brought = found.diagonal()
    assert brought[values > 0.1 * values[0]].sub(1).abs().max() < 0.4  # the quintic hovers about one
    assert (found - torch.diag(brought)).abs().max() < 1e-4


@pytest.mark.parametrize("nesterov", [True, False])
def test_steps_are_those_of_torch_to_its_precision(nesterov: bool) -> None:
    torch.manual_seed(0)
    starts = [torch.randn(shape) * 0.1 for shape in ((24, 24), (16, 48), (48, 16))]
    gradients = [[torch.randn_like(start) for start in starts] for _ in range(4)]
    ends = []
    for kind in (torch.optim.Muon, Float32Muon):
        weights = [torch.nn.Parameter(start.clone()) for start in starts]
        optimizer = kind(weights, lr=0.02, weight_decay=0.1, nesterov=nesterov, adjust_lr_fn="original")
        for step in gradients:
            for weight, gradient in zip(weights, step, strict=True):
                weight.grad = gradient.clone()
            optimizer.step()
        ends.append(weights)
    for start, torchs, ours in zip(starts, *ends, strict=True):
        assert (torchs - ours).norm() < 0.02 * (torchs - start).norm()
