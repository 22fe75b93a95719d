"""Training that goes on when memory runs out: with smaller micro-batches, and the same global ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer

from pipeline.errors import CutOff, GroundupError
from pipeline.model.out_of_memory import Parts, attempt
from pipeline.processes import world_size

REMEDY = (
    "use shorter examples or rows, an adapter, a smaller model, or a machine with more memory; the same command goes "
    "on from the last checkpoint"
)
"""What helps where halving does not."""
_PARTS = "parts.json"
_SHARED = ("logits_to_keep",)
"""What a micro-batch holds that is not by the row."""


def parts_of(name: str, checkpoints: Path | None = None) -> Parts:
    """Those of a training, remembered beside its checkpoints."""
    return Parts(name, REMEDY, checkpoints and checkpoints / _PARTS)


class HalvingTrainer(Trainer):
    """A Trainer that halves its micro-batches when memory runs out in a forward or backward pass.

    A micro-batch then goes through the model in parts, whose gradients add up: global batches, their order and the
    number of steps stay, no step is lost, and results are the same but for the order of sums (and for dropout, which
    is drawn anew). The losses have to be divided by what the whole global batch holds (``num_items_in_batch``).

    Of several processes the one that ran out cannot tell the others, which wait for its gradient. It remembers the
    parts and ends the run; the same command goes on with them from the last checkpoint.

    Args:
        parts: in how many parts micro-batches go.
        arguments: positional, as for Trainer.
        options: by name, as for Trainer.
    """

    def __init__(self, *arguments: Any, parts: Parts | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.parts = parts or parts_of("training")
        self._through: list[Mapping[str, Any]] = []
        """The micro-batches of this step whose gradients are there."""

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor | int | None]:
        self._through = []
        return super().get_batch_samples(epoch_iterator, num_batches, device)

    def training_step(
        self, model: Any, inputs: Mapping[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """A micro-batch's loss; its gradient is added to that of the step.

        Raises:
            GroundupError: when memory runs out with one row.
            CutOff: when it runs out in one of several processes; it is remembered.
        """
        todo = [inputs]
        while (loss := attempt(self._losses, model, todo, num_items_in_batch)) is None:
            self._halve(len(inputs["input_ids"]))
            model.zero_grad()  # some weights may have got the gradient of what failed, and others not
            todo = [*self._through, inputs]
        self._through.append(inputs)
        return loss

    def _losses(
        self, model: Any, batches: list[Mapping[str, Any]], count: torch.Tensor | int | None
    ) -> torch.Tensor:
        """Forward and backward pass of micro-batches, part by part; the loss of the last of them."""
        for batch in batches:
            *first, last = _split(batch, self.parts.size(len(batch["input_ids"])))
            losses = []
            for part in first:
                with self.accelerator.no_sync(model):
                    losses.append(super().training_step(model, part, count))
            losses.append(super().training_step(model, last, count))
        return torch.stack(losses).sum()

    def _halve(self, rows: int) -> None:
        if self.is_deepspeed_enabled:
            raise GroundupError(
                self.parts.name,
                "memory ran out, and DeepSpeed's steps cannot be taken again",
                "use a smaller --micro-batch; the global batch stays",
            )
        self.parts.double(rows)
        if world_size() > 1:
            raise CutOff(
                f"{self.parts.name}: memory ran out in one of {world_size()} processes; the same command goes on "
                f"from the last checkpoint, with micro-batches in {self.parts.count} parts"
            )


def _split(batch: Mapping[str, Any], size: int) -> list[dict[str, Any]]:
    """Parts of a micro-batch of at most so many rows."""
    rows = len(batch["input_ids"])
    return [
        {name: value if name in _SHARED else value[at : at + size] for name, value in batch.items()}
        for at in range(0, rows, size)
    ]
