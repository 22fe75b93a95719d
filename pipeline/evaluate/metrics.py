"""The tasks' metrics as ``evaluate.Metric`` classes that need no network: the libraries that define them compute."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix, f1_score

from pipeline.evaluate.scripts import is_spaceless, words

_LABEL, _TEXT = datasets.Value("int64"), datasets.Value("string")
_TEXTS = datasets.Sequence(_TEXT)


class OfflineMetric(evaluate.Metric):
    """An ``evaluate.Metric`` whose features are its class attributes; examples stay in memory.

    Args:
        options: of ``_compute``, the same for every call.
    """

    prediction: Any = _TEXT
    reference: Any = _TEXT

    def __init__(self, **options: Any) -> None:
        super().__init__(keep_in_memory=True)
        self.options = options

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=(type(self).__doc__ or "").strip(),
            citation="",
            features=datasets.Features({"predictions": self.prediction, "references": self.reference}),
        )

    def score(self, predictions: Sequence[Any], references: Sequence[Any]) -> dict[str, Any]:
        """The metric over all examples."""
        return self.compute(predictions=list(predictions), references=list(references), **self.options) or {}


class Classification(OfflineMetric):
    """Accuracy and macro-averaged F1 (scikit-learn) over label numbers; ``labels``: how many there are."""

    prediction = reference = _LABEL

    def _compute(
        self, predictions: Sequence[int], references: Sequence[int], labels: int
    ) -> dict[str, float]:
        numbers = list(range(labels))
        macro = f1_score(references, predictions, labels=numbers, average="macro", zero_division=0.0)
        return {"accuracy": float(accuracy_score(references, predictions)), "macro_f1": float(macro)}


class SquadMatch(OfflineMetric):
    """Exact match and token F1 of answers, the best over the reference answers (Rajpurkar et al., 2016, 2018).

    An empty list of references means that the question has no answer; only an empty prediction is right then.
    """

    reference = _TEXTS

    def _compute(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
        pairs = [(p, list(r) or [""]) for p, r in zip(predictions, references, strict=True)]
        exact = [max(float(squad_normal(p) == squad_normal(r)) for r in rs) for p, rs in pairs]
        overlap = [max(token_f1(p, r) for r in rs) for p, rs in pairs]
        return {"exact_match": sum(exact) / len(pairs), "f1": sum(overlap) / len(pairs)}


class Translation(OfflineMetric):
    """Corpus BLEU (Papineni et al., 2002) and chrF (Popović, 2015) by sacreBLEU, in its scale from 0 to 100."""

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        bleu, chrf = sacrebleu.BLEU(), sacrebleu.CHRF()
        return {
            "bleu": bleu.corpus_score(predictions, [references]).score,
            "chrf": chrf.corpus_score(predictions, [references]).score,
        }


def translation_signatures(predictions: Sequence[str], references: Sequence[str]) -> dict[str, str]:
    """sacreBLEU's signatures: versions and settings that make the scores comparable."""
    scorers = {"bleu": sacrebleu.BLEU(), "chrf": sacrebleu.CHRF()}
    for scorer in scorers.values():
        scorer.corpus_score(list(predictions), [list(references)])
    return {name: str(scorer.get_signature()) for name, scorer in scorers.items()}


_ROUGE = ["rouge1", "rouge2", "rougeL"]


class Rouge(OfflineMetric):
    """Mean F-measures of ROUGE-1, ROUGE-2 and ROUGE-L (Lin, 2004), from 0 to 1; with stemming for English words."""

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        scorer = RougeScorer(
            _ROUGE, use_stemmer=True, tokenizer=_Words() if is_spaceless(references) else None
        )
        every = [scorer.score(r, p) for p, r in zip(predictions, references, strict=True)]
        return {name: sum(scores[name].fmeasure for scores in every) / len(every) for name in _ROUGE}


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


def squad_normal(answer: str) -> str:
    """Lower case without punctuation, articles and needless white space: what SQuAD compares."""
    kept = "".join(c for c in answer.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def token_f1(prediction: str, reference: str) -> float:
    """F1 of the words that an answer shares with a reference; 1 or 0 where one of them is empty."""
    said, wanted = squad_normal(prediction).split(), squad_normal(reference).split()
    if not said or not wanted:
        return float(said == wanted)
    shared = sum((Counter(said) & Counter(wanted)).values())
    return 2 * shared / (len(said) + len(wanted))
