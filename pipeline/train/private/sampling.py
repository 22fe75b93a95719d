"""Poisson samples, which the accounting of privacy presumes, and the secret that they and the noise are drawn by."""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from pipeline.artifacts import read_json, write_json
from pipeline.train.data.batches import Feature, PadMicroBatch
from pipeline.train.private.budget import Budget

_SECRET = "secret.json"


class Secret:
    """What no reader of the recipe knows: whoever knew the noise could take it off again.

    It is drawn from the system's entropy when a training begins, and kept beside its checkpoints, with which it goes
    when the training is through. What follows from it is a function of the step alone, so that a training that was
    cut off draws the same again.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self.key = key

    @classmethod
    def of(cls, checkpoints: Path) -> Secret:
        """That of the training whose checkpoints lie there; a new one where it begins."""
        file = checkpoints / _SECRET
        if not file.is_file():
            write_json(file, {"key": secrets.token_hex(32)})
            file.chmod(0o600)
        return cls(bytes.fromhex(read_json(file)["key"]))

    def seed(self, use: str, step: int) -> int:
        """Of one step's generator, for one use."""
        digest = hashlib.blake2b(f"{use} {step}".encode(), key=self.key, digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)

    def generator(self, use: str, step: int, device: torch.device | str = "cpu") -> torch.Generator:
        """One step's, for one use."""
        return torch.Generator(device).manual_seed(self.seed(use, step))


class PoissonBatches(Dataset):
    """What goes through the model together: lists of features, ``count`` for each step, of which some are empty.

    In each step every example is taken by chance, independently of the others (Opacus' sampler), so that a step's
    number of examples varies and may be 0. Of an example that makes several features (windows of a long text) one is
    drawn, so that it adds no more to a step than another.

    Args:
        features: what the collator takes.
        owners: the number of the example that each feature is made of.
        lengths: of the features, in tokens.
        budget: examples, steps and the size of the samples.
        micro_batch: at most so many examples go through the model together.
        secret: what the samples are drawn by.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        owners: Sequence[int],
        lengths: Sequence[int],
        budget: Budget,
        micro_batch: int,
        secret: Secret,
    ) -> None:
        self.features, self.lengths = features, lengths
        self.budget, self.micro_batch, self.secret = budget, micro_batch, secret
        self.of_example: dict[int, list[int]] = {}
        for feature, owner in enumerate(owners):
            self.of_example.setdefault(owner, []).append(feature)
        self.examples = list(self.of_example.values())
        self.drawn = lru_cache(maxsize=2)(self._draw)
        largest = max(len(self.drawn(step)) for step in range(budget.steps))
        self.count = max(1, math.ceil(largest / micro_batch))

    def __len__(self) -> int:
        return self.budget.steps * self.count

    def __getitem__(self, index: int) -> list[Feature]:
        step, number = divmod(index, self.count)
        drawn = self.drawn(step)
        parts = math.ceil(len(drawn) / self.micro_batch)
        if number >= parts:
            return []
        return [self.features[i] for i in np.array_split(drawn, parts)[number].tolist()]

    def _draw(self, step: int) -> list[int]:
        """The step's features, shortest first."""
        from opacus.utils.uniform_sampler import UniformWithReplacementSampler

        chance = self.secret.generator("sample", step)
        sampler = UniformWithReplacementSampler(
            num_samples=len(self.examples), sample_rate=self.budget.sample_rate, generator=chance, steps=1
        )
        (taken,) = sampler
        places = torch.rand(len(taken), generator=chance).tolist()
        several = (self.examples[example] for example in taken)
        chosen = [own[int(place * len(own))] for own, place in zip(several, places, strict=True)]
        return sorted(chosen, key=lambda i: self.lengths[i])


class PadDrawn:
    """Collate an item of ``PoissonBatches``; an empty one is some feature that counts 0 in ``counts``, ``(batch,)``.

    Args:
        pad: of micro-batches that are not empty.
        stand_in: the feature.
    """

    def __init__(self, pad: PadMicroBatch, stand_in: Feature) -> None:
        self.pad, self.stand_in = pad, stand_in

    def __call__(self, items: Iterable[list[Feature]]) -> Any:
        (features,) = items
        batch: Any = self.pad([features or [self.stand_in]])
        batch["counts"] = torch.full((max(1, len(features)),), float(bool(features)))
        return batch
