"""Which tokens were replaced (ELECTRA: Clark et al., 2020): a generator proposes, a discriminator tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import ElectraForMaskedLM, ElectraForPreTraining, EvalPrediction, PreTrainedModel

from pipeline.errors import GroundupError
from pipeline.model.cost import cost
from pipeline.recipe import Model
from pipeline.train.faults.halving import parts_of
from pipeline.train.objectives.base import Metrics
from pipeline.train.objectives.electra import Electra, Told, generator_config, part
from pipeline.train.objectives.masked import Encoding, Masking
from pipeline.train.watching.trainer import MeteredTrainer

GENERATOR = "generator"
"""The directory beside the discriminator's files."""


class ElectraTrainer(MeteredTrainer):
    """Both together: the mean over hidden tokens of the one loss, and over all tokens of the other, weighted.

    Equation of Clark et al. (2020), section 2, with the means of a whole global batch, however it is divided.

    Args:
        model: both.
        weight: of the discriminator's loss; the paper's λ.
        seed: of what is drawn in a measurement, so that each draws the same of the same model.
        options: what ``MeteredTrainer`` takes.
    """

    def __init__(self, model: Electra, weight: float, seed: int, **options: Any) -> None:
        self.weight, self.seed, self.evaluation_parts = weight, seed, parts_of("held-out loss")
        super().__init__(model=model, compute_loss_func=self._loss, compute_metrics=self._measured, **options)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        outputs = model(**inputs)
        loss = self._loss(outputs, inputs["labels"], num_items_in_batch)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            # The mean of the gradients over processes is to be their sum.
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def _loss(
        self, outputs: Told, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """Of a micro-batch, as a part of the global batch's.

        Args:
            outputs: of both models.
            labels: ``(batch, length)``.
            num_items_in_batch: hidden tokens of the global batch; None takes those of this one.
        """
        hidden, every = num_items_in_batch, self._tokens(labels)
        if hidden is None:
            hidden, every = labels.ge(0).sum(), labels.numel()
        assert outputs.generator is not None and outputs.discriminator is not None  # of every pass
        return outputs.generator.sum() / hidden + self.weight * outputs.discriminator.sum() / every

    def _tokens(self, labels: torch.Tensor) -> int:
        """Of a global batch, whose rows are full."""
        arguments = self.args
        rows = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps
        return rows * self.accelerator.num_processes * labels.shape[1]

    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        # What is drawn is the same every time, and leaves what the training draws as it was.
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices), torch.compiler.set_stance("force_eager"):
            torch.manual_seed(self.seed)
            return super().evaluate(*arguments, **options)

    @torch.no_grad()
    def prediction_step(
        self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any
    ) -> tuple[None, tuple[torch.Tensor, ...], torch.Tensor]:
        """Of each row the summed losses and the number of hidden tokens; of each token its logit and the truth."""
        inputs = self._prepare_inputs(inputs)

        def measure(rows: list[int]) -> tuple[torch.Tensor, ...]:
            hidden = inputs["labels"][rows].ge(0)
            with self.compute_loss_context_manager():
                told = model(**{name: value[rows] for name, value in inputs.items()})
            losses = torch.zeros(hidden.shape, device=hidden.device).masked_scatter(hidden, told.generator)
            summed = losses.sum(-1), told.discriminator.sum(-1)
            return *summed, hidden.sum(-1), told.logits, told.replaced.long()

        parts = self.evaluation_parts.each(list(range(len(inputs["labels"]))), measure)
        *found, replaced = (torch.cat(values) for values in zip(*(part for _, part in parts), strict=True))
        return None, tuple(found), replaced

    def _measured(self, rows: EvalPrediction) -> dict[str, float]:
        from sklearn.metrics import accuracy_score, f1_score, roc_auc_score  # slow to import

        generator, discriminator, hidden, logits = rows.predictions
        truth = rows.label_ids.reshape(-1)
        said = logits.reshape(-1)
        losses = generator.sum(dtype=float) / hidden.sum(), discriminator.sum(dtype=float) / truth.size
        both = 0 < truth.sum() < truth.size
        return {
            "loss": float(losses[0] + self.weight * losses[1]),
            "generator_loss": float(losses[0]),
            "discriminator_loss": float(losses[1]),
            "accuracy": float(accuracy_score(truth, said > 0)),
            "replaced_f1": float(f1_score(truth, said > 0, zero_division=0.0)),
            "replaced_auc": float(roc_auc_score(truth, said)) if both else 0.5,
            "replaced_share": float(truth.mean()),
        }

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "eval_loss" in logs:
            told = {name: logs[f"eval_{name}"] for name in _TOLD}
            logs = {"eval_loss": logs["eval_loss"], **told}
        super().log(logs, start_time)


_TOLD = ("generator_loss", "discriminator_loss", "accuracy", "replaced_f1", "replaced_auc", "replaced_share")


class ReplacedToken(Encoding):
    """Of every token whether it is the text's own: cross-entropy of the generator + λ · binary cross-entropy.

    The mask stands for every hidden token, 15 % of a row; what the generator draws in their places comes of torch's
    state, which checkpoints keep. Rows and the first token are those of masked. What is finished is the discriminator;
    the generator is beside it.
    """

    name = "replaced-token"
    model_class = "AutoModelForPreTraining"
    families = "electra"
    no_bits = "a discriminator says of each token whether it was replaced, and gives no token a probability"

    @classmethod
    def check_model(cls, model: Model) -> None:
        """ELECTRA's two models, from random weights."""
        if model.start:
            raise GroundupError(
                "--model.start",
                f"{cls.name} trains two models, and published weights are of one",
                "begin from random weights, or fine-tune the published model",
            )
        if model.family != cls.families:
            raise GroundupError(
                "--model.family",
                f"{model.family} has no generator and discriminator",
                f"use {cls.families} with {cls.name}",
            )

    @property
    def masking(self) -> Masking:
        """The mask stands for all that is hidden."""
        return replace(super().masking, masked=1.0, replaced=0.0)

    def model(self) -> Electra:
        """Both, from random weights."""
        config = self.config()
        return Electra(config, generator_config(config, self.recipe.pretrain.corruption.generator)).float()

    def flops_per_token(self, model: PreTrainedModel) -> float:
        """Of both: the generator's output layer is at hidden tokens only."""
        length, share = self.recipe.model.context, self.recipe.pretrain.corruption.share
        small = model.generator.config
        body, whole = (
            cost(small, length, f"AutoModel{head}").flops_per_token for head in ("", "ForMaskedLM")
        )
        return super().flops_per_token(model) + body + share * (whole - body)

    def trainer(self, model: PreTrainedModel, held_out: Any, **options: Any) -> MeteredTrainer:
        """Of both together."""
        weight = self.recipe.pretrain.corruption.discriminator_weight
        return ElectraTrainer(model, weight, self.recipe.seed, **options)

    def parameters(self, model: PreTrainedModel) -> int:
        """Of the discriminator."""
        return model.discriminator.num_parameters()

    def finished(self, weights: Path) -> ElectraForPreTraining:
        """The discriminator."""
        return part(ElectraForPreTraining(self.config()), "discriminator", weights)

    def save(self, model: PreTrainedModel, weights: Path, out: Path) -> None:
        """The discriminator, and the generator beside it, each with the tokenizer."""
        super().save(model, weights, out)
        small = generator_config(self.config(), self.recipe.pretrain.corruption.generator)
        generator = ElectraForMaskedLM(small)
        generator.electra.embeddings = model.electra.embeddings
        generator.tie_weights()
        part(generator, GENERATOR, weights).save_pretrained(out / GENERATOR)
        self.tokenizer.save_pretrained(out / GENERATOR)

    def metrics(self, measured: Mapping[str, float], model: PreTrainedModel, held_out: Any) -> Metrics:
        """Both losses, and how well replaced tokens are told; beside whoever says that none is."""
        told = {name: measured[name] for name in _TOLD}
        return {
            "model": {"loss": measured["eval_loss"], **told},
            "nothing_replaced": {"accuracy": 1 - measured["replaced_share"], "replaced_f1": 0.0},
        }
