"""The Trainer of causal language models: their loss in pieces, and bits per byte of the held-out text."""

from __future__ import annotations

from typing import Any

import torch
from transformers import EvalPrediction, PreTrainedModel

from pipeline.train.loss import causal_loss
from pipeline.train.watching.trainer import MeteredTrainer


class CausalTrainer(MeteredTrainer):
    """``MeteredTrainer`` with ``CausalLoss``; its evaluation is exact whatever number of targets each row has.

    Args:
        model: a causal language model.
        bits_per_nat: bits per byte of the held-out text that one nat per token amounts to.
        z_loss: see ``CausalLoss``.
        options: what ``MeteredTrainer`` takes.
    """

    def __init__(self, model: PreTrainedModel, bits_per_nat: float, z_loss: float, **options: Any) -> None:
        self.bits_per_nat = bits_per_nat
        self.loss = causal_loss(model, options["args"], z_loss)
        super().__init__(
            model=model,
            compute_loss_func=self.loss,
            compute_metrics=self._measured,
            **options,
        )

    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        # Compiling the forward pass a second time, for evaluation, costs more than it saves.
        with torch.compiler.set_stance("force_eager"):
            return super().evaluate(*arguments, **options)

    def compute_loss(self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        # With a cache, transformers' masks do not go by the position ids, and documents would see each other.
        return super().compute_loss(model, {**inputs, "use_cache": False}, *arguments, **options)

    @torch.no_grad()
    def prediction_step(
        self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any
    ) -> tuple[None, torch.Tensor, torch.Tensor]:
        """Nothing is kept of the logits but each row's summed loss, ``(batch,)``, beside its number of targets."""
        inputs = self._prepare_inputs(inputs)
        labels = inputs.pop("labels")
        with self.compute_loss_context_manager(), self.loss.deferring():
            losses = self.loss.by_row(model(**inputs, use_cache=False), labels)
        return None, losses, labels[:, 1:].ge(0).sum(-1)

    def _measured(self, rows: EvalPrediction) -> dict[str, float]:
        loss = float(rows.predictions.sum(dtype=float) / rows.label_ids.sum())
        return {"loss": loss, "bits_per_byte": loss * self.bits_per_nat}

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "eval_loss" in logs:
            logs = {"eval_loss": logs["eval_loss"], "bits_per_byte": logs["eval_bits_per_byte"]}
        super().log(logs, start_time)
