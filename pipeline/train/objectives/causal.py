"""The next token: cross-entropy from left to right (Bengio et al., 2003; Radford et al., 2018), in bits per byte."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset
from transformers import GenerationConfig, PreTrainedModel, TrainerCallback

from pipeline.evaluate.bits import bits_per_byte, unigram_bits_per_byte, xz_bits_per_byte
from pipeline.model.families import STOCK
from pipeline.processes import on_main
from pipeline.recipe import Attention, Recipe
from pipeline.tokenizer.shards import open_shards
from pipeline.train.data.blocks import EvaluationRows, TrainingRows
from pipeline.train.objectives.base import Metrics, Objective
from pipeline.train.trainer import CausalTrainer
from pipeline.train.watching.log import Log
from pipeline.train.watching.samples import Samples

_COUNTED = 5_000_000
"""Tokens of each shard that the unigram baseline is counted on."""


def token_counts(shards: Path) -> Counter[int]:
    """How often each token comes in the beginning of each shard of the training text."""
    counts: Counter[int] = Counter()
    for shard in open_shards(shards / "train"):
        counts.update(dict(enumerate(np.bincount(shard[:_COUNTED]).tolist())))
    return counts


class Causal(Objective):
    """Each token from those before it; documents that share a row do not see each other."""

    name = "causal"
    model_class = "AutoModelForCausalLM"
    families = ", ".join(STOCK)
    pipeline_tag = "text-generation"
    judged_by = "bits_per_byte"
    streams = True

    @classmethod
    def check(cls, recipe: Recipe) -> None:
        """Nothing more: its settings and family are looked at with all settings (pipeline/checks/)."""

    @property
    def attention(self) -> Attention:
        """As set; left open, what keeps documents in a row apart."""
        return self.recipe.pretrain.attention

    @property
    def row_tokens(self) -> int:
        """A row full of them."""
        return self.recipe.model.context

    def training_rows(self, checkpoints: Path) -> Dataset:
        """Of the stream where there is one; else of the shards, which the first process packs."""
        recipe, tokenizer = self.recipe, self.tokenizer
        if recipe.pretrain.stream.sources:
            from pipeline.train.data.streaming import (
                streamed_rows,
            )  # reads and cleans text, for which much is needed

            return streamed_rows(recipe, tokenizer, self.shards.parent, self.text, checkpoints)
        rows = recipe.pretrain.steps * recipe.pretrain.global_batch
        where, plans = self.shards / "train", checkpoints / "rows"
        options = where, recipe.model.context, rows, recipe.seed, tokenizer.pad_token_id, plans
        on_main(lambda: TrainingRows(*options))
        return TrainingRows(*options)

    @cached_property
    def _held_out(self) -> EvaluationRows:
        context, most = self.recipe.model.context, self.recipe.pretrain.evaluation_tokens
        return EvaluationRows(self.shards / "validation", context, most, self.tokenizer.pad_token_id)

    def held_out_rows(self) -> EvaluationRows:
        """Each token of the first documents is predicted once."""
        return self._held_out

    @cached_property
    def text(self) -> str:
        """The held-out text."""
        return self.tokenizer.decode(self._held_out.predicted)

    def trainer(self, model: PreTrainedModel, held_out: Any, **options: Any) -> CausalTrainer:
        """Its loss is taken without logits, and told in bits per byte."""
        bits_per_nat = len(held_out.predicted) / (math.log(2) * len(self.text.encode()))
        return CausalTrainer(model, bits_per_nat, self.recipe.pretrain.z_loss, **options)

    def callbacks(self, log: Log) -> list[TrainerCallback]:
        """Continuations of the recipe's prompts."""
        return [Samples(self.recipe.pretrain.prompts, self.tokenizer, log)]

    def generation(self) -> GenerationConfig:
        """Sampling that suits a small model."""
        tokenizer = self.tokenizer
        return GenerationConfig(
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            do_sample=True,
            temperature=0.7,
            top_p=0.9,
            repetition_penalty=1.2,
        )

    def metrics(self, measured: Mapping[str, float], model: PreTrainedModel, held_out: Any) -> Metrics:
        """Bits per byte beside those of single tokens and of a compressor."""
        predicted, size, loss = held_out.predicted, len(self.text.encode()), measured["eval_loss"]
        unigram = unigram_bits_per_byte(token_counts(self.shards), len(self.tokenizer), predicted, size)
        return {
            "model": {"bits_per_byte": bits_per_byte(loss, len(predicted), size), "loss": loss},
            "unigram": {"bits_per_byte": unigram},
            "xz": {"bits_per_byte": xz_bits_per_byte(self.text)},
        }
