"""Hidden tokens from both sides (BERT: Devlin et al., 2019), newly hidden at every pass (RoBERTa: Liu et al., 2019)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import processors
from torch.utils.data import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from pipeline.errors import GroundupError
from pipeline.evaluate.bits import unigram_loss
from pipeline.model.machine import on_device
from pipeline.model.published import load_tokenizer
from pipeline.recipe import Recipe
from pipeline.train.data.blocks import NO_TARGET
from pipeline.train.data.chunks import Chunks, CorruptedRows, FirstChunks
from pipeline.train.data.packing import Integers
from pipeline.train.objectives.base import Metrics, Objective
from pipeline.train.objectives.causal import token_counts
from pipeline.train.objectives.words import WordBegins
from pipeline.train.trainer import HiddenTrainer
from pipeline.train.watching.trainer import MeteredTrainer

_MASKED, _REPLACED = 0.8, 0.1
"""Shares of the hidden tokens that the mask stands for, and that another token does; the rest stays as it is."""
_SAMPLED = 500
"""Held-out tokens that pseudo-perplexity is measured on: each takes a pass of its whole row."""
_AT_ONCE = 8
"""Rows of those passes that go through the model together."""
_PSEUDO = 3
"""Last word of the seed that draws them."""


@dataclass(frozen=True)
class Masking:
    """What is hidden of a row, and how.

    Tokens are drawn without replacement, so that a row has the same number of targets every time; special tokens are
    never hidden. With words, words are drawn, and one that would be too much is passed over, as BERT's code does.
    """

    first: int
    """What stands before the chunk: what the tokenizer puts before every text."""
    mask: int
    special: NDArray[np.bool_]
    """By token, ``(entries,)``."""
    share: float
    """Of the tokens that are not special."""
    words: WordBegins | None = None
    masked: float = _MASKED
    """Share of the hidden tokens in whose place the mask stands."""
    replaced: float = _REPLACED
    """Share of them in whose place any other token stands, drawn evenly."""

    def __call__(self, chunk: Integers, chance: np.random.Generator) -> dict[str, Integers]:
        """``input_ids`` and ``labels``, both ``(chunk + 1,)``: labels where something is hidden, -100 elsewhere."""
        ids = np.concatenate([[self.first], chunk])
        hidden = self.choose(ids, chance)
        labels = np.full_like(ids, NO_TARGET)
        labels[hidden] = ids[hidden]
        fate = chance.random(len(hidden))
        ids[hidden[fate < self.masked]] = self.mask
        other = hidden[(fate >= self.masked) & (fate < self.masked + self.replaced)]
        ids[other] = chance.choice(np.flatnonzero(~self.special), len(other))
        return {"input_ids": ids, "labels": labels}

    def choose(self, ids: Integers, chance: np.random.Generator) -> Integers:
        """Positions of what is hidden, ascending."""
        plain = np.flatnonzero(~self.special[ids])
        if not len(plain):
            return plain
        count = max(1, round(self.share * len(plain)))
        if self.words is None:
            return np.sort(chance.permutation(plain)[:count])
        number = np.cumsum(self.words(ids))[plain]
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        return np.sort(np.concatenate(list(_words(np.split(plain, starts[1:]), count, chance))))


def _words(words: list[Integers], count: int, chance: np.random.Generator) -> Iterator[Integers]:
    """Words in a drawn order until they have ``count`` tokens; the shortest one where none has so few."""
    left = count
    for place in chance.permutation(len(words)):
        if len(words[place]) <= left:
            left -= len(words[place])
            yield words[place]
    if left == count:
        yield min(words, key=len)


class Encoding(Objective):
    """What the objectives share whose model reads a row from both sides and writes nothing."""

    @classmethod
    def check(cls, recipe: Recipe) -> None:
        """The mask has to be in the tokenizer."""
        super().check(recipe)
        start = recipe.model.start
        if start and load_tokenizer(start).mask_token_id is None:
            raise GroundupError(
                start, f"its tokenizer has no mask, which {cls.name} needs", "use another start"
            )
        if not start and not recipe.tokenizer.mask:
            raise GroundupError(
                "--pretrain.objective",
                f"{cls.name} needs a mask among the tokens",
                "add --tokenizer.mask",
            )

    def prepare_tokenizer(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Around every text an end of text, as each document has one before and behind it in a row.

        The one before is what heads for classes read, BERT's [CLS], and what stands for "no answer"; it separates two
        texts too, BERT's [SEP]. A tokenizer that has such marks of its own keeps them.
        """
        if tokenizer.cls_token_id is not None:
            return
        end, number = tokenizer.eos_token, tokenizer.eos_token_id
        tokenizer.cls_token = tokenizer.sep_token = end
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{end}:0 $A:0 {end}:0",
            pair=f"{end}:0 $A:0 {end}:0 $B:0 {end}:0",
            special_tokens=[(end, number)],
        )

    @property
    def row_tokens(self) -> int:
        """One less than positions, for what stands before them."""
        return self.recipe.model.context - 1

    @property
    def masking(self) -> Masking:
        """By the recipe's settings."""
        tokenizer, settings = self.tokenizer, self.recipe.pretrain.corruption
        special = np.zeros(1 + max(tokenizer.get_vocab().values()), bool)
        special[tokenizer.all_special_ids] = True
        words = WordBegins(tokenizer) if settings.whole_words else None
        return Masking(tokenizer.cls_token_id, tokenizer.mask_token_id, special, settings.share, words)

    def training_rows(self, checkpoints: Path) -> Dataset:
        """Full rows, without padding."""
        settings, seed = self.recipe.pretrain, self.recipe.seed
        rows = settings.steps * settings.global_batch
        return CorruptedRows(Chunks(self.shards / "train", self.row_tokens, rows, seed), self.masking, seed)

    def held_out_rows(self) -> CorruptedRows:
        """The beginning of the held-out text, corrupted once and for all."""
        chunks = FirstChunks(
            self.shards / "validation", self.row_tokens, self.recipe.pretrain.evaluation_tokens
        )
        return CorruptedRows(chunks, self.masking, self.recipe.seed)


class Masked(Encoding):
    """Of 15 % of the tokens each from all others of its row; documents that share a row see each other.

    Rows are RoBERTa's "full sentences": an end of text, then the running text of the shards with an end of text between
    documents. Positions are learnt, over the whole row. There is no prediction of the next sentence.
    """

    name = "masked"
    model_class = "AutoModelForMaskedLM"
    families = "bert"
    pipeline_tag = "fill-mask"
    no_bits = (
        "a masked model gives each hidden token a probability that depends on what stands behind it, and these do not "
        "multiply to a probability of the text"
    )

    def trainer(self, model: PreTrainedModel, held_out: Any, **options: Any) -> MeteredTrainer:
        """By the mean cross-entropy of the hidden tokens of a global batch."""
        return HiddenTrainer(model, self.recipe.pretrain.z_loss, **options)

    def metrics(self, measured: Mapping[str, float], model: PreTrainedModel, held_out: Any) -> Metrics:
        """The loss of hidden tokens beside that of single tokens, and pseudo-perplexity."""
        labels = torch.stack([held_out[i]["labels"] for i in range(len(held_out))]).flatten()
        wanted = labels[labels.ge(0)].tolist()
        chunks = [held_out.chunks[i] for i in range(len(held_out))]
        chance = np.random.default_rng((self.recipe.seed, 0, _PSEUDO))
        return {
            "model": {
                "loss": measured["eval_loss"],
                "pseudo_perplexity": pseudo_perplexity(model, chunks, self.masking, _SAMPLED, chance),
            },
            "unigram": {"loss": unigram_loss(token_counts(self.shards), len(self.tokenizer), wanted)},
        }


@torch.no_grad()
def pseudo_perplexity(
    model: PreTrainedModel,
    chunks: list[Integers],
    masking: Masking,
    most: int,
    chance: np.random.Generator,
) -> float:
    """The exponential of the mean negative log-likelihood of tokens that are hidden one at a time.

    Salazar et al. (2020, "Masked Language Model Scoring", section 2.2), on a sample of the tokens. It compares masked
    models of one tokenizer with each other; it is no perplexity, as each token is told by those behind it too.

    Args:
        model: a masked one.
        chunks: of held-out text.
        masking: whose mask and first token are used.
        most: tokens that are sampled, of those that are not special.
        chance: draws them.
    """
    rows = np.stack([np.concatenate([[masking.first], chunk]) for chunk in chunks])
    places = np.argwhere(~masking.special[rows])
    places = places[np.sort(chance.permutation(len(places))[:most])]
    model, nats = on_device(model).eval(), 0.0
    for start in range(0, len(places), _AT_ONCE):
        row, position = places[start : start + _AT_ONCE].T
        ids = torch.from_numpy(rows[row])
        at = torch.arange(len(ids)), torch.from_numpy(position)
        wanted = ids[at].clone()
        ids[at] = masking.mask
        logits = model(input_ids=ids.to(model.device)).logits.cpu()[at]
        nats -= float(logits.float().log_softmax(-1).gather(1, wanted[:, None]).sum())
    return math.exp(nats / len(places))
