"""What contenders train: a stock model from random weights, on random tokens; throughput needs no text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PretrainedConfig, PreTrainedTokenizerFast

from benchmarks.turns import Training
from pipeline.model.families import model_config
from pipeline.recipe import Model
from pipeline.tokenizer.shards import Shard, token_type, write_shard
from pipeline.train.data.packing import pack

_MEDIAN, _SPREAD = 200, 1.0
"""Tokens in a document: median, and standard deviation of their logarithm, about those of web pages."""
_TOKENS = {"train": 2**22, "validation": 2**12}
_END = 1


def shape_of(training: Training) -> Model:
    """The model's settings as a recipe has them."""
    return Model(
        family=training.family,
        depth=training.depth,
        width=training.width,
        context=training.context,
    )


def config_of(training: Training) -> PretrainedConfig:
    """The model's configuration."""
    return model_config(shape_of(training), training.vocabulary, bos_token_id=_END, eos_token_id=_END)


def write_tokens(training: Training) -> None:
    """Leave what the tokenizer stage leaves: a tokenizer, whose words are numbers here, and shards."""
    place, entries = Path(training.tokens), training.vocabulary
    words = {"<|pad|>": 0, "<|end|>": _END} | {str(number): number for number in range(_END + 1, entries)}
    splitter = Tokenizer(models.WordLevel(words, unk_token="<|end|>"))
    splitter.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=splitter, pad_token="<|pad|>", eos_token="<|end|>", bos_token="<|end|>"
    ).save_pretrained(place)
    chance = np.random.default_rng(0)
    for part, count in _TOKENS.items():
        enough = 2 * count // _MEDIAN + 1
        lengths = 2 + np.exp(chance.normal(np.log(_MEDIAN), _SPREAD, enough)).astype(np.int64)
        ends = np.cumsum(lengths)
        ends = np.append(ends[ends < count], count)
        ids = chance.integers(_END + 1, entries, count).astype(token_type(entries))
        ids[ends - 1] = _END
        shard = training.shard.parents[1] / part / training.shard.name
        write_shard(ids, ends, shard, shard.parent)


def padding(training: Training) -> float:
    """Share of the positions that packing leaves empty."""
    rows = pack(np.asarray(Shard(training.shard).ends), training.context)
    return 1 - float(rows.pieces.lengths.sum()) / (len(rows) * training.context)
