"""How much noise a bound on privacy takes, and what a training has spent, by Opacus' accountant."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.errors import GroundupError
from pipeline.recipe import Finetune

_ACCOUNTANT = "prv"
"""Numerical composition of privacy loss random variables (Gopi et al., 2021), tighter than Rényi's divergences."""
_NEAR = 0.01
"""Share of the epsilon by which the least noise may stay below it."""


@dataclass(frozen=True)
class Budget:
    """A training by noisy gradients of Poisson samples, and what it spends when all of its steps are done."""

    examples: int
    """That each step samples from."""
    steps: int
    global_batch: int
    """Examples in a step, on average."""
    noise_multiplier: float
    """Standard deviation of the noise, divided by the clip."""
    clip: float
    delta: float

    @property
    def sample_rate(self) -> float:
        """Probability of each example to be in a step."""
        return self.global_batch / self.examples

    @property
    def epsilon(self) -> float:
        """What is spent, at this delta: an upper bound."""
        from opacus.accountants import create_accountant

        accountant = create_accountant(_ACCOUNTANT)
        accountant.history = [(self.noise_multiplier, self.sample_rate, self.steps)]
        with _without_hints():
            return float(accountant.get_epsilon(self.delta))

    def metrics(self) -> dict[str, float]:
        """What the table and the card say of it."""
        return {
            "epsilon": self.epsilon,
            "delta": self.delta,
            "clip": self.clip,
            "noise_multiplier": self.noise_multiplier,
            "sample_rate": self.sample_rate,
            "private_examples": self.examples,
            "private_steps": self.steps,
        }


@contextmanager
def _without_hints() -> Iterator[None]:
    """The accountant begins with a rougher one, and is told how that would be finer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def budget_of(settings: Finetune, examples: int) -> Budget:
    """The least noise that keeps the settings' epsilon over all of their steps.

    Args:
        settings: of the fine-tuning; its steps are known.
        examples: in the training part.

    Raises:
        GroundupError: where each step would take all of the examples, or no noise is enough.
    """
    from opacus.accountants.utils import get_noise_multiplier

    privacy = settings.privacy
    if settings.global_batch >= examples:
        raise GroundupError(
            "--finetune.global-batch",
            f"{settings.global_batch} of {examples} training examples are no sample of them",
            "use fewer, or give more data",
        )
    delta = privacy.delta or 0.1 / examples
    asked: dict[str, Any] = {
        "target_epsilon": privacy.epsilon,
        "target_delta": delta,
        "sample_rate": settings.global_batch / examples,
        "steps": settings.steps,
        "epsilon_tolerance": _NEAR * privacy.epsilon,
    }
    try:
        with _without_hints():
            noise = get_noise_multiplier(accountant=_ACCOUNTANT, **asked)
    except (ValueError, RuntimeError) as error:
        raise GroundupError(
            "--finetune.privacy.epsilon",
            f"no noise keeps {privacy.epsilon:g} over {settings.steps} steps ({error})",
            "use a greater one, or fewer steps",
        ) from error
    return Budget(examples, settings.steps, settings.global_batch, noise, privacy.clip, delta)
