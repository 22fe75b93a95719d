"""The Trainers of language models: their loss without logits, and bits per byte of the held-out text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch.nn import functional
from transformers import EvalPrediction, PreTrainedModel, TrainerCallback

from pipeline.model.adapters import stock
from pipeline.processes import say
from pipeline.train.faults.halving import parts_of
from pipeline.train.head import InPlaceLossHead, LossHead, put_loss_head
from pipeline.train.loss import next_tokens, own_tokens, row_losses
from pipeline.train.watching.trainer import MeteredTrainer

Follower = Callable[[Any], TrainerCallback]
"""Makes what follows a training of the tokenizer of its model."""


class TokenTrainer(MeteredTrainer):
    """``MeteredTrainer`` by the mean negative log-likelihood of next tokens over a global batch, however divided.

    Args:
        model: a language model; its output layer is replaced by a ``LossHead`` where that can be.
        z_loss: see ``loss_and_gradient``.
        options: what ``MeteredTrainer`` takes.
    """

    kind_of_head: ClassVar[type[LossHead]] = LossHead

    def __init__(self, model: PreTrainedModel, z_loss: float = 0.0, **options: Any) -> None:
        self.z_loss = z_loss
        self.head = put_loss_head(stock(model), z_loss, options["args"].torch_compile, self.kind_of_head)
        if self.head is None:
            say(
                f"{model.config.model_type} makes its logits in a way of its own: all of a micro-batch are kept"
            )
        super().__init__(model=model, compute_loss_func=self._loss, **options)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        # With a cache, transformers' masks do not go by the position ids, and documents would see each other.
        inputs = {**inputs, "use_cache": False}
        if self.head is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        with self.head.told(inputs["labels"], num_items_in_batch):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    def targets(self, labels: torch.Tensor) -> torch.Tensor:
        """The target at each position, ``(batch · length,)``, of labels ``(batch, length)``."""
        return next_tokens(labels)

    def _loss(
        self, outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """The sum over this micro-batch's targets, divided by the targets of the global batch.

        Args:
            outputs: the model's; ``logits`` are noughts by a ``LossHead``, else ``(batch, length, vocabulary)``.
            labels: ``(batch, length)``, -100 where there is none.
            num_items_in_batch: targets in all micro-batches of the step; None takes those of this one.
        """
        targets = self.targets(labels)
        count = targets.ge(0).sum() if num_items_in_batch is None else num_items_in_batch
        if self.head is not None:
            # The nought, or one an entry where the model has added a bias, which is none, to it.
            return outputs.logits.mean() + self.head.losses.sum() / count
        logits = outputs.logits.flatten(0, 1).float()
        loss = functional.cross_entropy(logits, targets, reduction="sum", ignore_index=-100)
        if self.z_loss:
            loss = loss + self.z_loss * logits[targets.ge(0)].logsumexp(-1).square().sum()
        return loss / count


class SequenceTrainer(TokenTrainer):
    """``TokenTrainer`` of an encoder-decoder or a masked model, by the mean over the targets of a global batch."""

    kind_of_head = InPlaceLossHead

    def targets(self, labels: torch.Tensor) -> torch.Tensor:
        """The labels: each stands where it is predicted."""
        return own_tokens(labels)


class HeldOutTrainer(TokenTrainer):
    """``TokenTrainer`` whose evaluation is exact whatever number of targets each row has.

    Args:
        model: a language model.
        z_loss: see ``loss_and_gradient``.
        options: what ``MeteredTrainer`` takes.
    """

    def __init__(self, model: PreTrainedModel, z_loss: float, **options: Any) -> None:
        self.evaluation_parts = parts_of("held-out loss")
        super().__init__(model, z_loss, compute_metrics=self._measured, **options)

    def told(self, loss: float) -> dict[str, float]:
        """What a measurement tells by its names in the log, beside the loss."""
        return {}

    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        # Compiling the forward pass a second time, for evaluation, costs more than it saves.
        with torch.compiler.set_stance("force_eager"):
            return super().evaluate(*arguments, **options)

    @torch.no_grad()
    def prediction_step(
        self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any
    ) -> tuple[None, torch.Tensor, torch.Tensor]:
        """Nothing is kept of the logits but each row's summed loss, ``(batch,)``, beside its number of targets."""
        inputs = self._prepare_inputs(inputs)
        labels = inputs.pop("labels")

        def losses(rows: list[int]) -> torch.Tensor:
            return self._row_losses(
                model, {name: value[rows] for name, value in inputs.items()}, labels[rows]
            )

        parts = self.evaluation_parts.each(list(range(len(labels))), losses)
        counts = self.targets(labels).view(labels.shape).ge(0).sum(-1)
        return None, torch.cat([found for _, found in parts]), counts

    def _row_losses(self, model: Any, inputs: dict[str, Any], labels: torch.Tensor) -> torch.Tensor:
        with self.compute_loss_context_manager():
            if self.head is None:
                return row_losses(model(**inputs, use_cache=False).logits, labels, self.targets)
            with self.head.told(labels):
                model(**inputs, use_cache=False)
            return self.head.losses.sum(-1)

    def _measured(self, rows: EvalPrediction) -> dict[str, float]:
        loss = float(rows.predictions.sum(dtype=float) / rows.label_ids.sum())
        return {"loss": loss, **self.told(loss)}

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "eval_loss" in logs:
            loss = logs["eval_loss"]
            logs = {"eval_loss": loss, **self.told(loss)}
        super().log(logs, start_time)


class CausalTrainer(HeldOutTrainer):
    """``HeldOutTrainer`` of a causal language model, whose loss is told in bits per byte too.

    Args:
        model: a causal language model.
        bits_per_nat: bits per byte of the held-out text that one nat per token amounts to.
        z_loss: see ``loss_and_gradient``.
        options: what ``MeteredTrainer`` takes.
    """

    def __init__(self, model: PreTrainedModel, bits_per_nat: float, z_loss: float, **options: Any) -> None:
        self.bits_per_nat = bits_per_nat
        super().__init__(model, z_loss, **options)

    def told(self, loss: float) -> dict[str, float]:
        """Bits per byte."""
        return {"bits_per_byte": loss * self.bits_per_nat}


class HiddenTrainer(HeldOutTrainer, SequenceTrainer):
    """``HeldOutTrainer`` of what was hidden: each label stands where it is predicted."""
