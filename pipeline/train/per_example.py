"""Training of heads with one target an example: a class of the text, a span of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from pipeline.train.example_loss import span_losses
from pipeline.train.watching.trainer import MeteredTrainer


class PerExampleTrainer(MeteredTrainer):
    """Weighs each micro-batch by its examples: accumulated, they give the mean over the global batch.

    These heads return the mean over a micro-batch. Some take the Trainer's ``num_items_in_batch`` and do not divide
    by it: their gradient would be larger by the number of micro-batches and processes (transformers, issue 47688).
    Others have no ``labels`` that the Trainer could count, and a smaller last micro-batch would weigh too much.
    Heads for spans take padding for places where an answer might be: their loss is taken again without it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.model_accepts_loss_kwargs = True  # compute_loss divides; the Trainer shall not do it again

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor]:
        """The micro-batches of a step, and the examples in them over all processes."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        examples = sum(len(batch["input_ids"]) for batch in batches)
        return batches, self.accelerator.reduce(torch.tensor(examples, device=device))

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> Any:
        """The head's own loss; while training, times this micro-batch's share of the examples of the step."""
        loss, outputs = super().compute_loss(model, inputs, return_outputs=True)
        if "start_positions" in inputs and "attention_mask" in inputs:
            loss = span_losses(outputs, inputs).mean()
        if num_items_in_batch is not None:
            # Gradients are averaged over the processes afterwards, and are to be added.
            loss = loss * len(inputs["input_ids"]) * self.accelerator.num_processes / num_items_in_batch
        return (loss, outputs) if return_outputs else loss
