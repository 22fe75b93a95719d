"""What a tokenizer makes of held-out text, by source and by language, and what its entries cost a model."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from pipeline.evaluate.scripts import words
from pipeline.model.families import model_config, round_up
from pipeline.recipe import Model
from pipeline.tokenizer.encode import encode_texts
from pipeline.tokenizer.sample import Sample, Text
from pipeline.tokenizer.shards import corpus_files

MEASURED_CHARACTERS = 5_000_000
WHOLE = "all"
_BATCH = 256


@dataclass
class Measure:
    """Counts over one kind of text; ``numbers`` are what they amount to."""

    name: str
    documents: int = 0
    size: int = 0
    """Bytes of UTF-8."""
    words: int = 0
    tokens: int = 0
    unknown: int = 0

    def add(self, other: Measure) -> None:
        """Count another measure in."""
        self.documents += other.documents
        self.size += other.size
        self.words += other.words
        self.tokens += other.tokens
        self.unknown += other.unknown

    def numbers(self) -> dict[str, float]:
        """Bytes per token, tokens per word (fertility; 1 is a token a word) and share of unknown tokens."""
        return {
            "bytes_per_token": self.size / max(1, self.tokens),
            "tokens_per_word": self.tokens / max(1, self.words),
            "unknown_share": self.unknown / max(1, self.tokens),
        }


def held_out_sample(corpus: Path) -> Sample:
    """What tokenizers are measured on: a part of the validation text, taken evenly."""
    return Sample(corpus_files(corpus / "validation"), MEASURED_CHARACTERS)


def measure(tokenizer: Tokenizer, texts: Iterable[Text], unknown: int | None) -> list[Measure]:
    """Encode texts and count.

    Args:
        tokenizer: of the library ``tokenizers``.
        texts: what it is measured on.
        unknown: id of its unknown token; None where it has none.

    Returns:
        The whole, then each source and each language by name.
    """
    none = -1 if unknown is None else unknown
    kinds: dict[str, Measure] = {WHOLE: Measure(WHOLE)}
    for text, ids in _encoded(tokenizer, texts):
        counted = Measure("", 1, len(text.text.encode()), len(words(text.text)), len(ids), ids.count(none))
        names = [WHOLE, f"source:{text.source}", *([f"language:{text.language}"] if text.language else [])]
        for name in names:
            kinds.setdefault(name, Measure(name)).add(counted)
    return [kinds[WHOLE], *sorted(list(kinds.values())[1:], key=lambda kind: kind.name)]


def _encoded(tokenizer: Tokenizer, texts: Iterable[Text]) -> Iterator[tuple[Text, list[int]]]:
    tokenizer.encode_special_tokens = True
    remaining = iter(texts)
    while batch := list(itertools.islice(remaining, _BATCH)):
        ids = encode_texts(tokenizer, [text.text for text in batch], "held-out text")
        yield from zip(batch, ids, strict=True)


@dataclass(frozen=True)
class EmbeddingCost:
    """Parameters that a vocabulary takes in a model."""

    embeddings: int
    """Of the table of tokens, and of the output layer where that has weights of its own."""
    parameters: int
    """Of the whole model."""

    def numbers(self) -> dict[str, float]:
        """Parameters of the embeddings, and their share of the model's."""
        return {
            "embedding_parameters": self.embeddings,
            "embedding_share": self.embeddings / self.parameters,
        }


def embedding_cost(settings: Model, entries: int) -> EmbeddingCost:
    """What so many entries take in the recipe's model, counted on the model without weights."""
    from pipeline.model.cost import embedding_parameters
    from pipeline.model.published import load_config

    if settings.start:
        config = load_config(settings.start)
        config.vocab_size = round_up(entries)
    else:
        config = model_config(settings, round_up(entries))
    return EmbeddingCost(*embedding_parameters(config))
