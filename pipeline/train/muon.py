"""Muon where bfloat16 products are emulated: torch's own orthogonalises in bfloat16 and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch


class Float32Muon(torch.optim.Muon):
    """``torch.optim.Muon`` (Jordan et al., 2024) whose orthogonalisation is in float32; "original" rates.

    On a CPU without bfloat16 products torch's takes far longer.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Momentum, orthogonalisation, decay and update of every matrix that has a gradient."""
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            weights: list[torch.Tensor] = []
            gradients: list[torch.Tensor] = []
            averages: list[torch.Tensor] = []
            self._init_group(group, weights, gradients, averages)
            for weight, gradient, average in zip(weights, gradients, averages, strict=True):
                average.lerp_(gradient, 1 - group["momentum"])
                ahead = gradient.lerp(average, group["momentum"]) if group["nesterov"] else average
                update = orthogonal(ahead, group["ns_coefficients"], group["ns_steps"], group["eps"])
                rows, columns = weight.shape
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update, alpha=-group["lr"] * math.sqrt(max(1, rows / columns)))
        return loss


def orthogonal(
    matrix: torch.Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> torch.Tensor:
    """A matrix with its singular values brought near one, by Newton and Schulz's iteration.

    Args:
        matrix: ``(rows, columns)``, in the precision that is computed in.
        coefficients: of the matrix, and of its first and second product with its Gram matrix.
        steps: iterations.
        eps: the least norm that is divided by.
    """
    wide = matrix.T if matrix.size(0) > matrix.size(1) else matrix
    wide = wide / wide.norm().clamp(min=eps)
    a, b, c = coefficients
    for _ in range(steps):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide.T if matrix.size(0) > matrix.size(1) else wide
