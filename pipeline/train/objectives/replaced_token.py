"""Which tokens were replaced (ELECTRA: Clark et al., 2020): a generator proposes, a discriminator tells."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional
from transformers import (
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForPreTraining,
    EvalPrediction,
    PreTrainedModel,
)
from transformers.utils import ModelOutput

from pipeline.errors import GroundupError
from pipeline.model.cost import cost
from pipeline.recipe import Model
from pipeline.train.faults.halving import parts_of
from pipeline.train.objectives.base import Metrics
from pipeline.train.objectives.masked import Encoding, Masking
from pipeline.train.watching.trainer import MeteredTrainer

GENERATOR = "generator"
"""The directory beside the discriminator's files."""
_WEIGHTS = "model.safetensors"


@dataclass
class Told(ModelOutput):
    """What a pass through both models gives."""

    generator: torch.Tensor | None = None
    """Cross-entropy of each hidden token, ``(hidden,)``, nats."""
    discriminator: torch.Tensor | None = None
    """Binary cross-entropy of each token, ``(batch, length)``, nats."""
    logits: torch.Tensor | None = None
    """Of each token having been replaced, ``(batch, length)``."""
    replaced: torch.Tensor | None = None
    """Whether it was, ``(batch, length)``."""


class Electra(PreTrainedModel):
    """Both models while they are trained; the embeddings are the same parameters in both.

    The generator learns hidden tokens as a masked model does, by maximum likelihood, and a token is drawn from what it
    says in the place of each; the discriminator says of every token whether it is another than the text's.

    It looks like the generative adversarial networks of Goodfellow et al. (2014), and is none: the generator is not
    trained to deceive; no gradient of the discriminator reaches it, as a token that is drawn has none; it is given no
    noise; and a token that it draws rightly counts as the text's own.

    Args:
        config: of the discriminator.
        generator: of the generator, of the same embeddings.
    """

    config_class = ElectraConfig
    base_model_prefix = ""
    supports_gradient_checkpointing = True
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _tied_weights_keys = {
        f"generator.electra.embeddings.{table}": f"discriminator.electra.embeddings.{table}"
        for table in (
            "word_embeddings.weight",
            "position_embeddings.weight",
            "token_type_embeddings.weight",
            "LayerNorm.weight",
            "LayerNorm.bias",
        )
    } | {"generator.generator_lm_head.weight": "discriminator.electra.embeddings.word_embeddings.weight"}

    def __init__(self, config: ElectraConfig, generator: ElectraConfig) -> None:
        super().__init__(config)
        self.discriminator, self.generator = ElectraForPreTraining(config), ElectraForMaskedLM(generator)
        self.generator.electra.embeddings = self.discriminator.electra.embeddings
        self.generator.generator_lm_head.weight = self.get_input_embeddings().weight
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Of both."""
        return self.discriminator.get_input_embeddings()

    def set_attn_implementation(self, *arguments: Any, **options: Any) -> None:
        """Of both."""
        self.discriminator.set_attn_implementation(*arguments, **options)
        self.generator.set_attn_implementation(*arguments, **options)

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> Told:
        """A text with hidden tokens, and what they are.

        Args:
            input_ids: ``(batch, length)``.
            labels: ``(batch, length)``, the tokens that are hidden, -100 elsewhere.
        """
        hidden = labels.ge(0)
        wanted = labels[hidden]
        states = self.generator.electra(input_ids).last_hidden_state[hidden]
        said = self.generator.generator_lm_head(self.generator.generator_predictions(states)).float()
        drawn = torch.multinomial(said.detach().softmax(-1), 1).squeeze(1)
        proposed = input_ids.masked_scatter(hidden, drawn)
        replaced = torch.zeros_like(hidden).masked_scatter(hidden, drawn != wanted)
        logits = self.discriminator(proposed).logits.float()
        told = functional.binary_cross_entropy_with_logits(logits, replaced.float(), reduction="none")
        return Told(functional.cross_entropy(said, wanted, reduction="none"), told, logits, replaced)


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
            loss = (
                loss * self.accelerator.num_processes
            )  # the gradients' mean over processes is to be their sum
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
        return _part(ElectraForPreTraining(self.config()), "discriminator", weights)

    def save(self, model: PreTrainedModel, weights: Path, out: Path) -> None:
        """The discriminator, and the generator beside it, each with the tokenizer."""
        super().save(model, weights, out)
        small = generator_config(self.config(), self.recipe.pretrain.corruption.generator)
        generator = ElectraForMaskedLM(small)
        generator.electra.embeddings = model.electra.embeddings
        generator.tie_weights()
        _part(generator, GENERATOR, weights).save_pretrained(out / GENERATOR)
        self.tokenizer.save_pretrained(out / GENERATOR)

    def metrics(self, measured: Mapping[str, float], model: PreTrainedModel, held_out: Any) -> Metrics:
        """Both losses, and how well replaced tokens are told; beside whoever says that none is."""
        told = {name: measured[name] for name in _TOLD}
        return {
            "model": {"loss": measured["eval_loss"], **told},
            "nothing_replaced": {"accuracy": 1 - measured["replaced_share"], "replaced_f1": 0.0},
        }


def generator_config(config: ElectraConfig, share: float) -> ElectraConfig:
    """Of a generator: as deep, and narrower in width, feed-forward part and heads (Clark et al., 2020, section 3.2).

    Args:
        config: of the discriminator.
        share: of its width, rounded to whole heads.
    """
    small = copy.deepcopy(config)
    head = config.hidden_size // config.num_attention_heads
    small.num_attention_heads = max(1, round(share * config.num_attention_heads))
    small.hidden_size = head * small.num_attention_heads
    small.intermediate_size = config.intermediate_size * small.hidden_size // config.hidden_size
    return small


def _part(model: PreTrainedModel, name: str, weights: Path) -> PreTrainedModel:
    """One of the two, with its part of the weights of both; what they share may stand in the other's part."""
    whole = load_file(str(weights / _WEIGHTS))
    own = {key.removeprefix(f"{name}."): value for key, value in whole.items() if key.startswith(f"{name}.")}
    missing, unexpected = model.load_state_dict(own, strict=False)
    shared = [key for key in missing if ".embeddings." not in key and key != "generator_lm_head.weight"]
    assert not shared and not unexpected, (shared, unexpected)
    return model
