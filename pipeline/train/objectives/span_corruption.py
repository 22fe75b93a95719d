"""Hidden spans, written by an encoder-decoder that reads the rest (T5: Raffel et al., 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import processors
from torch.utils.data import Dataset
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from pipeline.errors import GroundupError
from pipeline.model.cost import cost
from pipeline.model.published import load_tokenizer
from pipeline.model.special_tokens import sentinels
from pipeline.recipe import Corruption, Recipe
from pipeline.train.data.chunks import Chunks, CorruptedRows, FirstChunks
from pipeline.train.data.packing import Integers
from pipeline.train.objectives.base import Metrics, Objective
from pipeline.train.trainer import HiddenTrainer
from pipeline.train.watching.trainer import MeteredTrainer


@dataclass(frozen=True)
class Sizes:
    """What a chunk of text becomes; every chunk the same, so that no row is padded."""

    chunk: int
    """Tokens of text."""
    hidden: int
    spans: int

    @property
    def read(self) -> int:
        """Tokens of the input: what is not hidden, a sentinel for each span, an end of text."""
        return self.chunk - self.hidden + self.spans + 1

    @property
    def written(self) -> int:
        """Tokens of the target: what is hidden, a sentinel before each span and one at last, an end of text."""
        return self.hidden + self.spans + 2


def sizes_of(chunk: int, settings: Corruption) -> Sizes:
    """Of a chunk of so many tokens, at least 2."""
    hidden = min(max(round(chunk * settings.share), 1), chunk - 1)
    spans = min(max(round(hidden / settings.mean_span), 1), chunk - hidden)
    return Sizes(chunk, hidden, spans)


def largest_chunk(context: int, settings: Corruption) -> Sizes:
    """Of the most text whose input has at most ``context`` tokens, and its target too."""
    sizes = sizes_of(2, settings)
    while True:
        longer = sizes_of(sizes.chunk + 1, settings)
        if max(longer.read, longer.written) > context:
            return sizes
        sizes = longer


def segments(total: int, parts: int, chance: np.random.Generator) -> Integers:
    """Lengths of at least 1 that add up to ``total``, every such list as likely as any other."""
    cuts = np.sort(chance.permutation(total - 1)[: parts - 1]) + 1
    return np.diff(np.concatenate([[0], cuts, [total]]))


def hidden_spans(sizes: Sizes, chance: np.random.Generator) -> NDArray[np.bool_]:
    """What of a chunk is hidden, ``(chunk,)``: kept and hidden spans in turn, a kept one first (T5's own code)."""
    kept = segments(sizes.chunk - sizes.hidden, sizes.spans, chance)
    hidden = segments(sizes.hidden, sizes.spans, chance)
    return np.repeat(np.arange(2 * sizes.spans) % 2 == 1, np.stack([kept, hidden], 1).reshape(-1))


@dataclass(frozen=True)
class Spans:
    """What is hidden of a chunk, and how it is read and written."""

    settings: Corruption
    sentinels: Integers
    """Their ids, in order."""
    begins: int
    """What the decoder begins with."""
    end: int

    def __call__(self, chunk: Integers, chance: np.random.Generator) -> dict[str, Integers]:
        """``input_ids``, ``(read,)``; ``labels`` and ``decoder_input_ids``, the same one place on, ``(written,)``."""
        sizes = sizes_of(len(chunk), self.settings)
        hidden = hidden_spans(sizes, chance)
        opens = hidden & ~np.concatenate([[False], hidden[:-1]])
        number = np.cumsum(opens) - 1
        # Each span has its sentinel in front of it; in the input in its place.
        marked = np.where(opens, self.sentinels[number], chunk)
        read = np.append(marked[~hidden | opens], self.end)
        labels: list[int] = []
        for span in range(sizes.spans):
            labels += [int(self.sentinels[span]), *chunk[hidden & (number == span)].tolist()]
        labels += [int(self.sentinels[sizes.spans]), self.end]
        return {
            "input_ids": read,
            "labels": np.array(labels),
            "decoder_input_ids": np.array([self.begins, *labels[:-1]]),
        }


class SpanCorruption(Objective):
    """The hidden spans of a text, each behind its sentinel, from the text with sentinels in their places.

    15 % of the tokens in spans of 3 on average, as T5's base recipe has it; the lengths of spans, and of what stands
    between them, are drawn evenly among all that add up. Rows are running text, documents with an end of text between
    them; the encoder sees all of a row. A last sentinel and an end of text close the target.
    """

    name = "span-corruption"
    model_class = "AutoModelForSeq2SeqLM"
    families = "t5"
    no_bits = (
        "an encoder-decoder gives hidden spans a probability, given the rest of a text, and the text none"
    )

    @classmethod
    def check(cls, recipe: Recipe) -> None:
        """A sentinel for each span, and one more, have to be in the tokenizer; words are of the other objectives."""
        super().check(recipe)
        corruption, start = recipe.pretrain.corruption, recipe.model.start
        if corruption.whole_words:
            raise GroundupError(
                "--pretrain.corruption.whole-words", "spans are drawn by tokens, not by words", "leave it out"
            )
        needed = largest_chunk(recipe.model.context, corruption).spans + 1
        if start and not set(sentinels(needed)) <= load_tokenizer(start).get_vocab().keys():
            raise GroundupError(
                start, f"its tokenizer has no {needed} sentinels, <extra_id_0> and so on", "use another start"
            )
        if not start and recipe.tokenizer.sentinels < needed:
            raise GroundupError(
                "--pretrain.objective",
                f"{cls.name} needs {needed} sentinels among the tokens for rows of {recipe.model.context}",
                f"add --tokenizer.sentinels {needed}",
            )

    def prepare_tokenizer(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """An end of text behind every text, and between two, as in rows; a tokenizer that puts one keeps its own."""
        if tokenizer.backend_tokenizer.num_special_tokens_to_add(False):
            return
        end, number = tokenizer.eos_token, tokenizer.eos_token_id
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=f"$A:0 {end}:0",
            pair=f"$A:0 {end}:0 $B:0 {end}:0",
            special_tokens=[(end, number)],
        )

    @property
    def sizes(self) -> Sizes:
        """Of a full row."""
        return largest_chunk(self.recipe.model.context, self.recipe.pretrain.corruption)

    @property
    def row_tokens(self) -> int:
        """More than the context, as sentinels are fewer than what they stand for."""
        return self.sizes.chunk

    def flops_per_token(self, model: PreTrainedModel) -> float:
        """By the tokens that are read; those that are written are in it."""
        sizes = self.sizes
        return cost(model.config, sizes.read, self.model_class, written=sizes.written).flops_per_token

    @property
    def spans(self) -> Spans:
        """By the recipe's settings."""
        tokenizer, settings = self.tokenizer, self.recipe.pretrain.corruption
        names = list(sentinels(self.sizes.spans + 1))
        ids = np.array(tokenizer.convert_tokens_to_ids(names))
        return Spans(settings, ids, tokenizer.pad_token_id, tokenizer.eos_token_id)

    def training_rows(self, checkpoints: Path) -> Dataset:
        """Full rows, without padding."""
        settings, seed = self.recipe.pretrain, self.recipe.seed
        rows = settings.steps * settings.global_batch
        return CorruptedRows(Chunks(self.shards / "train", self.row_tokens, rows, seed), self.spans, seed)

    def held_out_rows(self) -> CorruptedRows:
        """The beginning of the held-out text, corrupted once and for all."""
        most = self.recipe.pretrain.evaluation_tokens
        chunks = FirstChunks(self.shards / "validation", self.row_tokens, most)
        return CorruptedRows(chunks, self.spans, self.recipe.seed)

    def trainer(self, model: PreTrainedModel, held_out: Any, **options: Any) -> MeteredTrainer:
        """By the mean cross-entropy of the target tokens of a global batch, sentinels included."""
        return HiddenTrainer(model, self.recipe.pretrain.z_loss, **options)

    def generation(self) -> GenerationConfig:
        """How what is read is begun and ended."""
        tokenizer = self.tokenizer
        return GenerationConfig(
            decoder_start_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )

    def metrics(self, measured: Mapping[str, float], model: PreTrainedModel, held_out: Any) -> Metrics:
        """The held-out loss by target token."""
        return {"model": {"loss": measured["eval_loss"]}}
