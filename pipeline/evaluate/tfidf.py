"""What the baselines of classification read: weighted counts of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from pipeline.evaluate.scripts import is_spaceless


class TfIdf:
    """TF-IDF of words and pairs of words; of scripts without spaces, of up to three characters.

    Of two texts both stand there, and what they share and do not: the products and distances of their weights, and
    their cosine.

    Args:
        examples: with ``text``, and ``pair`` where there is a second text; the vocabulary is theirs.
    """

    def __init__(self, examples: Sequence[Mapping[str, Any]]) -> None:
        texts = [*_column(examples, "text"), *_column(examples, "pair")]
        grams: dict[str, Any] = {"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"}
        if is_spaceless(texts):
            grams = {"analyzer": "char", "ngram_range": (1, 3)}
        self.words = TfidfVectorizer(sublinear_tf=True, min_df=2 if len(texts) > 1000 else 1, **grams)
        self.words.fit(texts)

    def of(self, examples: Sequence[Mapping[str, Any]]) -> Any:
        """``(examples, features)``, sparse."""
        first = self.words.transform(_column(examples, "text"))
        if not examples or "pair" not in examples[0]:
            return first
        second = self.words.transform(_column(examples, "pair"))
        shared = first.multiply(second)
        cosine = sparse.csr_matrix(shared.sum(axis=1))
        return sparse.hstack([first, second, shared, abs(first - second), cosine]).tocsr()


def linear_classifier(class_weights: str) -> LogisticRegression:
    """What learns from these features.

    Args:
        class_weights: none, or balanced as scikit-learn has it.
    """
    weights = None if class_weights == "none" else class_weights
    return LogisticRegression(C=10.0, max_iter=1000, class_weight=weights)


def _column(examples: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return [example[name] for example in examples if name in example]
