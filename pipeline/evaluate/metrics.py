"""The tasks' metrics as ``evaluate.Metric`` classes that need no network: the libraries that define them compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import numpy as np
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from sklearn.metrics import classification_report, confusion_matrix

from pipeline.evaluate.scripts import is_spaceless, words
from pipeline.evaluate.squad import best, character_f1, exact, token_f1
from pipeline.evaluate.statistics import Numbers, Statistics, joined, means


class OfflineMetric(evaluate.Metric):
    """An ``evaluate.Metric`` that is computed from sums over the examples; these stay in memory.

    A subclass says what its predictions and references are, and what each example adds (``statistics``).
    """

    prediction: Any = datasets.Value("string")
    reference: Any = datasets.Value("string")

    def __init__(self) -> None:
        super().__init__(keep_in_memory=True)

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=(type(self).__doc__ or "").strip(),
            citation="",
            features=datasets.Features({"predictions": self.prediction, "references": self.reference}),
        )

    def statistics(self, predictions: Sequence[Any], references: Sequence[Any]) -> Statistics:
        """What each example adds to the metric."""
        raise NotImplementedError

    def _compute(self, predictions: Sequence[Any], references: Sequence[Any]) -> dict[str, float]:
        return self.statistics(predictions, references).score()


class Classification(OfflineMetric):
    """Accuracy, and F1 averaged over the classes that are there or were predicted, of label numbers."""

    prediction = reference = datasets.Value("int64")

    def statistics(self, predictions: Sequence[int], references: Sequence[int]) -> Statistics:
        said, wanted = np.asarray(predictions), np.asarray(references)
        classes = np.union1d(said, wanted)
        right = (said == wanted).astype(np.float64)
        is_said, is_wanted = (numbers[:, None] == classes[None] for numbers in (said, wanted))
        rows = np.concatenate([is_said & is_wanted, is_said, is_wanted], axis=1).astype(np.float64)

        def metrics(sums: Numbers) -> dict[str, float]:
            both, of_said, of_wanted = np.split(sums, 3)
            there = of_said + of_wanted > 0
            return {"macro_f1": float(np.mean(2 * both[there] / (of_said + of_wanted)[there]))}

        return joined(means(accuracy=right.tolist()), Statistics(rows, metrics))


class TwoClasses(OfflineMetric):
    """F1 of class 1, and the correlation of Matthews (1975), 0 where a class is never there or never said."""

    prediction = reference = datasets.Value("int64")

    def statistics(self, predictions: Sequence[int], references: Sequence[int]) -> Statistics:
        said, wanted = np.asarray(predictions), np.asarray(references)
        cells = [(said == s) & (wanted == w) for s, w in ((1, 1), (1, 0), (0, 1), (0, 0))]

        def metrics(sums: Numbers) -> dict[str, float]:
            tp, fp, fn, tn = sums
            spread = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
            return {
                "f1": float(2 * tp / (2 * tp + fp + fn)) if tp else 0.0,
                "matthews_correlation": float((tp * tn - fp * fn) / np.sqrt(spread)) if spread else 0.0,
            }

        return Statistics(np.stack(cells, axis=1).astype(np.float64), metrics)


class MultiLabel(OfflineMetric):
    """Micro F1, macro F1 over labels that are there or were predicted, and ``subset_accuracy``: all labels right.

    Predictions and references are numbers of labels, any number of them for an example.
    """

    prediction = reference = datasets.Sequence(datasets.Value("int64"))

    def statistics(
        self, predictions: Sequence[Sequence[int]], references: Sequence[Sequence[int]]
    ) -> Statistics:
        count = 1 + max((n for rows in (predictions, references) for row in rows for n in row), default=0)
        said, wanted = (_is_there(rows, count) for rows in (predictions, references))

        def metrics(sums: Numbers) -> dict[str, float]:
            both, of_said, of_wanted = np.split(sums, 3)
            all_of = of_said + of_wanted
            there = all_of > 0
            return {
                "micro_f1": float(2 * both.sum() / all_of.sum()) if there.any() else 0.0,
                "macro_f1": float(np.mean(2 * both[there] / all_of[there])) if there.any() else 0.0,
            }

        rows = np.concatenate([said & wanted, said, wanted], axis=1).astype(np.float64)
        right = (said == wanted).all(1).astype(np.float64)
        return joined(Statistics(rows, metrics), means(subset_accuracy=right.tolist()))


def _is_there(rows: Sequence[Sequence[int]], count: int) -> Any:
    """``(examples, labels)``, whether a label is there."""
    table = np.zeros((len(rows), count), dtype=bool)
    for place, row in enumerate(rows):
        table[place, list(row)] = True
    return table


class SquadMatch(OfflineMetric):
    """Exact match and F1 of answers, the best over the reference answers, as SQuAD 2.0's script has them.

    An empty list of references means that the question has no answer; only an empty prediction is right then. F1 is
    of words between white space, as in the script, and of characters where the references are of a script without
    spaces between words (``pipeline/evaluate/squad.py``).
    """

    reference = datasets.Sequence(datasets.Value("string"))

    def statistics(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Statistics:
        f1 = character_f1 if is_spaceless(r for rs in references for r in rs) else token_f1
        pairs = list(zip(predictions, references, strict=True))
        return means(
            exact_match=[best(exact, *pair) for pair in pairs], f1=[best(f1, *pair) for pair in pairs]
        )


_SEGMENTS = 1000
"""Whose references are taken at a time: sacreBLEU holds all their n-grams."""


def _by_segment(
    name: str, metric: sacrebleu.metrics.base.Metric, predictions: Sequence[str], references: Sequence[str]
) -> Statistics:
    """A metric of sacreBLEU from its statistics by segment, which are what its own significance tests add up."""
    rows = []
    for start in range(0, len(predictions), _SEGMENTS):
        part = slice(start, start + _SEGMENTS)
        found = metric._extract_corpus_statistics(list(predictions[part]), [list(references[part])])
        rows.append(np.array(found, dtype=np.float64))
    return Statistics(
        np.concatenate(rows),
        lambda sums: {name: metric._compute_score_from_stats(sums.astype(int).tolist()).score},
    )


class Translation(OfflineMetric):
    """Corpus BLEU (Papineni et al., 2002), chrF and chrF++ (Popović, 2015, 2017) by sacreBLEU, from 0 to 100."""

    def statistics(self, predictions: Sequence[str], references: Sequence[str]) -> Statistics:
        return joined(
            *(_by_segment(name, scorer, predictions, references) for name, scorer in _scorers().items())
        )


def _scorers() -> dict[str, sacrebleu.metrics.base.Metric]:
    return {"bleu": sacrebleu.BLEU(), "chrf": sacrebleu.CHRF(), "chrf++": sacrebleu.CHRF(word_order=2)}


def translation_signatures(predictions: Sequence[str], references: Sequence[str]) -> dict[str, str]:
    """sacreBLEU's signatures: versions and settings that make the scores comparable."""
    scorers = _scorers()
    for scorer in scorers.values():
        # a score has to be taken for that, of one segment as well as of all
        scorer.corpus_score(list(predictions[:1]), [list(references[:1])])
    return {name: str(scorer.get_signature()) for name, scorer in scorers.items()}


_ROUGE = ["rouge1", "rouge2", "rougeL"]


class Rouge(OfflineMetric):
    """Mean F-measures of ROUGE-1, ROUGE-2 and ROUGE-L (Lin, 2004), from 0 to 1; with stemming for English words."""

    def statistics(self, predictions: Sequence[str], references: Sequence[str]) -> Statistics:
        scorer = RougeScorer(
            _ROUGE, use_stemmer=True, tokenizer=_Words() if is_spaceless(references) else None
        )
        every = (scorer.score(r, p) for p, r in zip(predictions, references, strict=True))
        rows = [[scores[name].fmeasure for name in _ROUGE] for scores in every]
        return means(**dict(zip(_ROUGE, zip(*rows, strict=True), strict=True)))


class _Words:
    """What rouge-score takes for a tokenizer; its own knows Latin letters only."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


def per_class(predictions: Sequence[int], references: Sequence[int], names: Sequence[str]) -> dict[str, Any]:
    """Precision, recall, F1 and support of every class, and the confusion matrix (rows: true labels)."""
    numbers = list(range(len(names)))
    report = classification_report(
        references, predictions, labels=numbers, target_names=list(names), output_dict=True, zero_division=0.0
    )
    return {
        "per_class": {name: report[name] for name in names},
        "confusion": confusion_matrix(references, predictions, labels=numbers).tolist(),
    }


def per_label(
    predictions: Sequence[Sequence[int]], references: Sequence[Sequence[int]], names: Sequence[str]
) -> dict[str, Any]:
    """Precision, recall, F1 and support of every label."""
    said, wanted = (_is_there(rows, len(names)) for rows in (predictions, references))
    report = classification_report(
        wanted, said, target_names=list(names), output_dict=True, zero_division=0.0
    )
    return {"per_class": {name: report[name] for name in names}}
