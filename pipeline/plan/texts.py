"""The beginning of each source of the corpus, and a tokenizer learnt from it where the run has none yet."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pipeline.apart import apart
from pipeline.errors import GroundupError
from pipeline.model.vocabulary import vocabulary_size
from pipeline.recipe import Corpus, Recipe
from pipeline.sources import Row, read_all
from pipeline.sources.columns import text_column
from pipeline.sources.tolerance import tolerated

_ROWS = 200
"""Rows of each source that are looked at."""
_LONGEST = 20_000
"""Characters of a row that the tokenizer is learnt from."""


def beginnings(recipe: Recipe) -> dict[str, list[str] | GroundupError]:
    """Some texts of each source, or what is wrong with it, read in processes of their own."""
    specs = dict.fromkeys((*recipe.corpus.sources, *recipe.pretrain.stream.sources))
    return apart({spec: partial(_texts, spec, recipe.corpus) for spec in specs})


def _texts(spec: str, settings: Corpus) -> list[str]:
    name = settings.text_column

    def use(row: Row) -> None:
        if name not in row.values:
            text_column(row, name, "text-column")  # says which columns there are

    rows = tolerated(read_all(spec), settings.skip_bad_rows, use, lambda refusal: None)
    texts = []
    for row in itertools.islice(rows, _ROWS):
        use(row)
        texts.append(str(row.values[name] or "")[:_LONGEST])
    return texts


def learn_tokenizer(recipe: Recipe, texts: Sequence[str], directory: Path) -> bool:
    """Write a tokenizer as the recipe's will be, but from few texts; whether they were enough for one."""
    if not texts:
        return False

    def learn() -> bool:
        from pipeline.tokenizer.train import train_tokenizer

        size, context = vocabulary_size(recipe), recipe.model.context
        train_tokenizer(texts, recipe.tokenizer, size, context).save_pretrained(directory)
        return True

    return apart({"tokenizer": learn})["tokenizer"] is True  # threads of tokenizers do not survive a fork
