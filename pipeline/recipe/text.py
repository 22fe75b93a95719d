"""Settings of the text and its tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FilterFamily = Literal["gopher-quality", "gopher-repetition", "c4", "fineweb"]


@dataclass(frozen=True)
class Corpus:
    """Raw text to clean documents."""

    sources: tuple[str, ...] = ()
    """Where text comes from: package:NAME, hub:OWNER/NAME, a file or a directory."""
    weights: tuple[float, ...] = ()
    """Share of each source in the corpus, by characters; the scarcest is used whole. Empty takes all of all."""
    text_column: str = "text"
    """The column that holds the text in tabular sources."""
    skip_bad_rows: int = 0
    """Rows that cannot be read or hold no text are listed and passed over, so many of all sources at most."""
    megabytes: float = 0.0
    """Read at most this much text, in millions of characters, divided by the weights; 0 reads all of it."""
    minimum_characters: int = 100
    """Documents shorter than this are dropped."""
    longest_document: int = 20_000
    """Longer documents are cut into documents of at most this many characters, at paragraphs where it can be."""
    languages: tuple[str, ...] = ()
    """Documents in other languages (ISO 639-1) are dropped; empty keeps all."""
    filters: tuple[FilterFamily, ...] = ()
    """Families of published heuristics for web text (pipeline/corpus/filters.py); empty applies none."""
    near_duplicates: float = 0.7
    """Documents whose word 5-grams have a Jaccard similarity above this are dropped; 0 keeps them."""
    near_false_positives: float = 0.02
    """Chance that a pair 0.1 less similar than that counts as near; it sets the length of the sketches."""
    boilerplate: int = 20
    """Lines of 40 characters or more that more documents than this hold are cut out of all; 0 keeps them."""
    repeated_passages: int = 200
    """Lines at least this long, in characters, are cut out of all documents but the first; 0 keeps them."""
    decontaminate: int = 13
    """Documents to train on that share this many words in a row with a task's held-out part are dropped; 0 keeps."""
    mask_personal_data: bool = True
    """Replace personal data and secrets (pipeline/corpus/personal_data.py) by typed placeholders."""


@dataclass(frozen=True)
class Tokenizer:
    """Clean documents to a tokenizer and token shards."""

    algorithm: Literal["bpe", "unigram", "wordpiece", "word"] = "bpe"
    """bpe: byte-level BPE. unigram, wordpiece: subwords. word: split at white space, the simplest there is."""
    vocabulary: int = 0
    """Entries, special tokens included; 0 lets the model's size decide (pipeline/model/vocabulary.py)."""
    training_megabytes: float = 20.0
    """Text it is learned from, in millions of characters, taken evenly from the corpus."""
    digits: Literal["groups", "single", "together"] = "groups"
    """Numbers are split into groups of at most three digits, into single digits, or not at all."""
    whitespace: Literal["runs", "single"] = "runs"
    """A run of blanks, as in indented code, may become one token, or each blank stays alone."""
    mask: bool = False
    """A token that stands for one that is hidden, which masked and replaced-token pre-training need."""
    sentinels: int = 0
    """Tokens that stand for hidden spans, <extra_id_0> and so on, which span-corruption needs; T5 has 100."""


@dataclass(frozen=True)
class Executor:
    """Where text is prepared. It changes no result, so it is part of no fingerprint."""

    kind: Literal["local", "slurm", "ray"] = "local"
    """This machine, a Slurm cluster (from a login node; the runs directory is shared) or a Ray cluster."""
    workers: int = 0
    """Tasks at the same time; 0 is one for each core of this machine, and no limit on a cluster."""
    partition: str = ""
    """Slurm partition."""
    time: str = "04:00:00"
    """Slurm time limit of one task."""
    memory_gigabytes: int = 4
    """Memory of one task on a cluster."""
