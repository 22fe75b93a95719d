"""The labelled sentences of benchmarks/labels.py: subsets that nest, and what counts of words tell."""

from __future__ import annotations

import csv
import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from pipeline.tasks.base import Example

COUNTS: dict[str, Callable[[], Any]] = {
    "naive Bayes": MultinomialNB,
    "logistic regression": lambda: LogisticRegression(max_iter=1000),
}
"""What learns from counts of words, by its name: a generative model and its discriminative twin, which have the same
form, log p(y | x) being linear in the counts (Ng & Jordan, 2002). Smoothing and penalty are scikit-learn's."""


def in_order(examples: Iterable[Example], seed: int) -> list[Example]:
    """All examples, drawn by the seed: the first so many are the subset of that size, so that subsets nest.

    The classes take turns while all of them last, so that small subsets are balanced.
    """
    by_label: dict[str, list[Example]] = {}
    for example in examples:
        by_label.setdefault(example.fields["label"], []).append(example)
    chance = random.Random(seed)
    classes = [by_label[label] for label in sorted(by_label)]
    for some in classes:
        chance.shuffle(some)
    turns = itertools.chain.from_iterable(itertools.zip_longest(*classes))
    return [example for example in turns if example is not None]


def write_examples(file: Path, examples: Sequence[Example]) -> Path:
    """Examples as a table with the columns ``text`` and ``label``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as opened:
        rows = ((example.fields["text"], example.fields["label"]) for example in examples)
        csv.writer(opened).writerows([("text", "label"), *rows])
    return file


def by_counts(name: str, train: Sequence[Example], held_out: Sequence[Example]) -> float:
    """Accuracy on the held-out part of a model of ``COUNTS``; the words are those of the training part."""
    model = make_pipeline(CountVectorizer(token_pattern=r"(?u)\b\w+\b"), COUNTS[name]())
    (texts, labels), (others, wanted) = (
        ([example.fields["text"] for example in some], [example.fields["label"] for example in some])
        for some in (train, held_out)
    )
    return float(model.fit(texts, labels).score(others, wanted))
