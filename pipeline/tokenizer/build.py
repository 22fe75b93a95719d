"""The tokenizer stage: train (or take) a tokenizer, measure it, encode the corpus into shards."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from pipeline.artifacts import Artifact
from pipeline.model.families import round_up
from pipeline.recipe import Recipe
from pipeline.tokenizer.shards import read_corpus, write_shards
from pipeline.tokenizer.train import train_tokenizer

_BATCH = 512
"""Documents encoded at a time, by all cores."""


def build_tokenizer(recipe: Recipe, corpus: Path, out: Artifact) -> Mapping[str, Mapping[str, Any]]:
    """Write the tokenizer and ``shards/train``, ``shards/validation`` into the stage's directory.

    Args:
        recipe: its tokenizer settings; with ``model.start`` the published model's tokenizer is taken.
        corpus: directory of the corpus stage.
        out: directory of this stage.
    """
    started = time.monotonic()
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    tokenizer = _tokenizer(recipe, corpus)
    with out.writing() as beside:
        tokenizer.save_pretrained(beside)
        tokens = {
            part: write_shards(
                _encoded(tokenizer, read_corpus(corpus / part)),
                beside / "shards" / part,
                tokenizer.eos_token_id,
                len(tokenizer),
            )
            for part in ("train", "validation")
        }
    size = sum(len(text.encode()) for text in read_corpus(corpus / "validation"))
    return {
        "model": {
            "vocabulary": len(tokenizer),
            "embedding_rows": round_up(len(tokenizer)),
            "bytes_per_token": size / tokens["validation"],
            "train_tokens": tokens["train"],
            "validation_tokens": tokens["validation"],
            "seconds": time.monotonic() - started,
        }
    }


def _tokenizer(recipe: Recipe, corpus: Path) -> PreTrainedTokenizerBase:
    if recipe.model.start:
        from pipeline.model.published import load_tokenizer

        return load_tokenizer(recipe.model.start)
    texts = _up_to(recipe.tokenizer.training_megabytes * 1e6, read_corpus(corpus / "train"))
    return train_tokenizer(texts, recipe.tokenizer.vocabulary, recipe.model.context)


def _up_to(characters: float, texts: Iterable[str]) -> Iterator[str]:
    """The first texts, this many characters together; a corpus is shuffled, so they are a fair sample."""
    read = 0
    for text in texts:
        yield text
        read += len(text)
        if read >= characters:
            return


def _encoded(tokenizer: PreTrainedTokenizerBase, texts: Iterator[str]) -> Iterator[list[int]]:
    while batch := list(itertools.islice(texts, _BATCH)):
        yield from tokenizer(batch, add_special_tokens=False, verbose=False)["input_ids"]
