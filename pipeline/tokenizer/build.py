"""The tokenizer stage: learn (or take) a tokenizer once, encode the corpus into shards, measure both."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from pipeline.artifacts import Artifact, read_json, write_json
from pipeline.errors import GroundupError
from pipeline.model.families import round_up
from pipeline.model.published import load_tokenizer
from pipeline.model.vocabulary import vocabulary_size
from pipeline.recipe import Executor, Recipe
from pipeline.tokenizer.encode import PARTS, encode_corpus, load_encoder
from pipeline.tokenizer.report import embedding_cost, held_out_sample, measure
from pipeline.tokenizer.sample import Sample
from pipeline.tokenizer.shards import corpus_files, open_shards
from pipeline.tokenizer.train import train_tokenizer

TOKENIZER = "tokenizer.json"
_LEARNT = "learnt.json"
"""What the tokenizer was learnt from; written after it, so where it is the tokenizer is whole."""
_SMALL = 4_000_000
"""Bytes of a corpus that is encoded before other processes would have started."""

Metrics = Mapping[str, Mapping[str, Any]]


def build_tokenizer(recipe: Recipe, corpus: Path, out: Artifact) -> Metrics:
    """Write the tokenizer and ``shards/train``, ``shards/validation`` into the stage's directory.

    A tokenizer and shards that are there already, from a run that was cut off, stay.

    Args:
        recipe: its tokenizer settings; with ``model.start`` the published model's tokenizer is taken.
        corpus: directory of the corpus stage.
        out: directory of this stage.

    Returns:
        Row ``model``: entries, measures on held-out text, cost, tokens, what it was learnt from; rows
        ``source:NAME`` and ``language:CODE``: the measures on that part of the text.

    Raises:
        GroundupError: for a published tokenizer that cannot be taken or has no end of text.
    """
    started = time.monotonic()
    learnt_from = _learn_once(recipe, corpus, out)
    tokenizer = load_tokenizer(str(out.path))
    if tokenizer.eos_token_id is None:
        raise GroundupError(recipe.model.start, "its tokenizer has no end-of-text token", "use another start")
    entries, shards = 1 + max(tokenizer.get_vocab().values()), out.path / "shards"
    encode_corpus(
        corpus,
        out.path / TOKENIZER,
        tokenizer.eos_token_id,
        entries,
        shards,
        out.checkpoints,
        _executor(recipe.executor, corpus),
    )
    tokens = {f"{part}_tokens": sum(map(len, open_shards(shards / part))) for part in PARTS}
    encoder = load_encoder(out.path / TOKENIZER)
    whole, *parts = measure(encoder, held_out_sample(corpus), tokenizer.unk_token_id)
    return {
        "model": {
            "vocabulary": len(tokenizer),
            "embedding_rows": round_up(entries),
            **whole.numbers(),
            **embedding_cost(recipe.model, round_up(entries)).numbers(),
            **tokens,
            **learnt_from,
            "seconds": time.monotonic() - started,
        },
        **{part.name: part.numbers() for part in parts},
    }


def _learn_once(recipe: Recipe, corpus: Path, out: Artifact) -> dict[str, int]:
    """Learn the tokenizer and save it, unless that was done before the stage was cut off."""
    if not (out.path / _LEARNT).is_file():
        os.environ["TOKENIZERS_PARALLELISM"] = "true"
        sample = Sample(corpus_files(corpus / "train"), recipe.tokenizer.training_megabytes * 1e6)
        tokenizer = _tokenizer(recipe, sample)
        with out.writing() as beside:
            tokenizer.save_pretrained(beside)
        counts = {"sample_documents": sample.documents, "sample_characters": sample.taken}
        write_json(out.path / _LEARNT, {} if recipe.model.start else counts)
    return read_json(out.path / _LEARNT)


def _tokenizer(recipe: Recipe, sample: Sample) -> PreTrainedTokenizerBase:
    if recipe.model.start:
        return load_tokenizer(recipe.model.start)
    return train_tokenizer(sample.texts(), recipe.tokenizer, vocabulary_size(recipe), recipe.model.context)


def _executor(executor: Executor, corpus: Path) -> Executor:
    """As the recipe says; in this process where the corpus is small."""
    size = sum(file.stat().st_size for part in PARTS for file in corpus_files(corpus / part))
    return replace(executor, workers=1) if executor.kind == "local" and size < _SMALL else executor
