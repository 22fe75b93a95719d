"""What an objective is: the model, its rows, the Trainer with its loss, and how what was learnt is measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
import transformers
from torch.utils.data import Dataset
from transformers import (
    GenerationConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
)

from pipeline.errors import GroundupError
from pipeline.model import history
from pipeline.model.cost import cost
from pipeline.model.families import check_family, model_config, round_up
from pipeline.model.published import fit_embeddings, load_config, load_model
from pipeline.recipe import Attention, Model, Recipe
from pipeline.train.watching.log import Log
from pipeline.train.watching.trainer import MeteredTrainer

Metrics = dict[str, dict[str, Any]]
"""One object for each row of the table."""


class Objective(ABC):
    """One objective. A new one is one file that subclasses this and one line in ``__init__.py``.

    Args:
        recipe: with plain numbers.
        tokenizer: with which the shards were encoded; made ready for the model in place.
        shards: directory with the token shards ``train`` and ``validation``.
    """

    name: ClassVar[str]
    model_class: ClassVar[str]
    """The auto class of the finished model."""
    families: ClassVar[str]
    """Families that are known to follow the dial under it, to be named."""
    pipeline_tag: ClassVar[str] = "feature-extraction"
    """The Hub's name for what the finished model does."""
    no_bits: ClassVar[str] = ""
    """Why bits per byte is not defined; empty where it is."""
    judged_by: ClassVar[str] = "loss"
    """The held-out measure by which the best checkpoint is kept; less of it is better."""
    streams: ClassVar[bool] = False
    """Whether rows can be made of a stream."""

    def __init__(self, recipe: Recipe, tokenizer: PreTrainedTokenizerBase, shards: Path) -> None:
        self.recipe, self.tokenizer, self.shards = recipe, tokenizer, shards
        self.prepare_tokenizer(tokenizer)

    @classmethod
    def check(cls, recipe: Recipe) -> None:
        """Refuse a recipe that this cannot be learnt by, before the first stage.

        Raises:
            GroundupError: naming the setting and what to do.
        """
        cls.check_model(recipe.model)
        if recipe.pretrain.stream.sources and not cls.streams:
            raise GroundupError(
                "--pretrain.stream.sources",
                f"rows of {cls.name} are made of the corpus' shards, not of a stream",
                "name the text in --corpus.sources",
            )
        if recipe.pretrain.prompts and not cls.model_class.endswith("CausalLM"):
            raise GroundupError(
                "--pretrain.prompts",
                f"a model learnt by {cls.name} continues no prompt",
                "leave them out",
            )

    @classmethod
    def check_model(cls, model: Model) -> None:
        """Refuse a family whose models cannot be learnt so.

        Raises:
            GroundupError: naming the setting and what to do.
        """
        if not model.start:
            grouped = model.kv_heads if model.kv_heads != model.heads else 0
            check_family(replace(model, kv_heads=grouped), cls.model_class, cls.families)

    def prepare_tokenizer(self, tokenizer: PreTrainedTokenizerBase) -> None:  # noqa: B027  # mostly as it is
        """Change what it puts around a text to what pre-training shows the model, before it is saved beside it."""

    @property
    def attention(self) -> Attention:
        """As set; left open, on GPUs torch's own, as documents in a row need not be kept apart."""
        chosen = self.recipe.pretrain.attention
        return "sdpa" if chosen == "auto" and torch.cuda.is_available() else chosen

    @property
    @abstractmethod
    def row_tokens(self) -> int:
        """Tokens of text in a row of training."""

    @abstractmethod
    def training_rows(self, checkpoints: Path) -> Dataset:
        """Rows in the order of training; the i-th is the same in every process and after every resumption.

        Args:
            checkpoints: directory for what is computed once.
        """

    @abstractmethod
    def held_out_rows(self) -> Dataset:
        """Rows that are measured on, the same at every measurement."""

    def model(self) -> PreTrainedModel:
        """The model before its first step, in float32: from random weights, or those to start from."""
        if self.recipe.model.start:
            start = self.recipe.model.start
            history.refuse_counts(load_config(start).model_type, start)
            model = load_model(start, self.model_class)
            fit_embeddings(model, self.tokenizer)
            return model
        return getattr(transformers, self.model_class).from_config(self.config(), dtype="float32")

    def config(self) -> PretrainedConfig:
        """Of a model from random weights; what an encoder-decoder writes begins with the padding."""
        tokenizer = self.tokenizer
        return model_config(
            self.recipe.model,
            round_up(len(tokenizer)),
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )

    def flops_per_token(self, model: PreTrainedModel) -> float:
        """Of one training step, by the tokens that the meter counts: those of ``input_ids``."""
        return cost(model.config, self.recipe.model.context, self.model_class).flops_per_token

    @abstractmethod
    def trainer(self, model: PreTrainedModel, held_out: Any, **options: Any) -> MeteredTrainer:
        """The Trainer with the loss; its evaluation logs ``eval_loss`` and what else is measured.

        Args:
            model: before its first step.
            held_out: what ``held_out_rows`` made.
            options: what ``MeteredTrainer`` takes.
        """

    def callbacks(self, log: Log) -> list[TrainerCallback]:
        """What follows the training beside what follows every one."""
        return []

    def parameters(self, model: PreTrainedModel) -> int:
        """Of the finished model, by the one that is trained."""
        return model.num_parameters()

    def finished(self, weights: Path) -> PreTrainedModel:
        """The stock model of what was trained.

        Args:
            weights: where ``save_trained`` has put it.
        """
        return load_model(str(weights), self.model_class)

    def generation(self) -> GenerationConfig | None:
        """What is saved for whoever lets the model write; None where it writes nothing."""
        return None

    def save(self, model: PreTrainedModel, weights: Path, out: Path) -> None:
        """Write the finished model, stock, and the tokenizer.

        Args:
            model: what ``finished`` gave.
            weights: where all that was trained is.
            out: directory, empty.
        """
        if (generation := self.generation()) is not None:
            model.generation_config = generation
        model.save_pretrained(out)
        self.tokenizer.save_pretrained(out)

    @abstractmethod
    def metrics(self, measured: Mapping[str, float], model: PreTrainedModel, held_out: Any) -> Metrics:
        """Row ``model``, and rows of what it has to beat.

        Args:
            measured: what the last evaluation logged.
            model: what ``finished`` gave.
            held_out: what ``held_out_rows`` made.
        """
