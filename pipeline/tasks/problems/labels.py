"""Any number of labels for each text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.errors import GroundupError, listed
from pipeline.evaluate.reliability import Sureness, calibration_error
from pipeline.evaluate.statistics import Statistics, joined
from pipeline.tasks.base import Example, Likely, Prediction
from pipeline.tasks.problems.base import Loss, Problem, in_order, named, names_in, texts_of
from pipeline.tasks.problems.names import class_name, refuse_many

if TYPE_CHECKING:
    from pipeline.evaluate.outcomes import Outcome


class Labels(Problem):
    """Binary cross-entropy of each label by itself; said are those above a threshold of their own."""

    main_metric = "micro_f1"

    def label(self, value: Any, place: str) -> list[str]:
        """A list, or text with ``label_separator`` between names; an empty cell has no label."""
        if value is None:
            return []
        if isinstance(value, str):
            value = [part for part in value.split(self.settings.label_separator) if part.strip()]
        values = value if isinstance(value, list | tuple) else [value]
        found = [class_name(entry, self.settings.label_names, place) for entry in values]
        return list(dict.fromkeys(found))

    def check(self, train: Sequence[Example], held_out: Sequence[Example]) -> None:
        """At least one label that some have and some have not, and not as many labels as texts."""
        counts = Counter(name for e in train for name in e.fields["label"])
        if not any(0 < count < len(train) for count in counts.values()):
            raise GroundupError(
                self.settings.data,
                f"all {len(train)} training rows have the same labels ({listed(in_order(counts)) or 'none'})",
                "give rows with different ones",
            )
        refuse_many(len(counts), len(train), self.settings.data, self.settings.label_column)

    def model_config(self, train: Sequence[Example]) -> dict[str, Any]:
        """Label names both ways; those of ``label_names`` in their order."""
        counts = Counter(name for e in train for name in e.fields["label"])
        names = list(self.settings.label_names or in_order(counts))
        config: dict[str, Any] = {**named(names), "problem_type": "multi_label_classification"}
        if self.settings.class_weights == "balanced":
            config["class_weights"] = {name: _balanced(counts[name], len(train)) for name in names}
        return config

    def target(self, label: Any, config: Any) -> list[float]:
        """1 for each label that the text has, else 0."""
        return [float(name in label) for name in names_in(config)]

    def loss(self, config: Any) -> Loss | None:
        """Each label's binary cross-entropy, weighted by whether the text has it, where labels have weights."""
        weights = getattr(config, "class_weights", None)
        if weights is None:
            return None
        pairs = [weights[name] for name in names_in(config)]
        return lambda outputs, labels, **_: _weighted(outputs.logits, labels, pairs)

    def settle(self, model: Any, logits: Any, validation: Sequence[Example]) -> dict[str, Any]:
        """A temperature, as for classes, and for each label the threshold that gives its best F1.

        The thresholds, on probabilities, stand in the model's configuration as ``decision_thresholds``.
        """
        from pipeline.evaluate.calibration import divide_logits, label_temperature
        from pipeline.evaluate.thresholds import best_f1_threshold

        config = model.config
        truth = [self.target(e.fields["label"], config) for e in validation]
        found = label_temperature(logits, truth)
        divide_logits(model, found)
        likely = (logits / found).sigmoid().T.tolist()
        config.decision_thresholds = {
            name: best_f1_threshold(column, [bool(row[number]) for row in truth])
            for number, (name, column) in enumerate(zip(names_in(config), likely, strict=True))
        }
        return {"temperature": found, "decision_thresholds": config.decision_thresholds}

    def likely(self, logits: Any, config: Any) -> list[dict[str, Likely]]:
        """Each label by itself, with its threshold."""
        thresholds = getattr(config, "decision_thresholds", None) or {}
        return [
            {
                name: Likely(p, thresholds.get(name, 0.5))
                for name, p in zip(names_in(config), row, strict=True)
            }
            for row in logits.sigmoid().tolist()
        ]

    def predictions(self, logits: Any, config: Any, examples: Sequence[Example]) -> list[Prediction]:
        """The labels whose probability reaches their threshold, a half where none was settled."""
        names = names_in(config)
        thresholds = getattr(config, "decision_thresholds", None) or {}
        return [
            _said(example, dict(zip(names, row, strict=True)), thresholds)
            for example, row in zip(examples, logits.sigmoid().tolist(), strict=True)
        ]

    def outcomes(self, config: Any) -> dict[str, Outcome]:
        """Its labels."""
        from pipeline.evaluate.outcomes import OfLabels

        return {name: OfLabels(name, number) for number, name in enumerate(names_in(config))}

    def chosen(self, prediction: Prediction) -> str:
        """The likeliest label, said or not."""
        return max(prediction["probabilities"], key=prediction["probabilities"].__getitem__)

    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """Micro and macro F1, the share of texts with all labels right, and the labels' calibration error."""
        from pipeline.evaluate.metrics import MultiLabel

        said, wanted, _ = _numbers(examples, predictions)
        scores, sure = MultiLabel().statistics(said, wanted), self.sureness(examples, predictions)
        return joined(scores, calibration_error(*sure)) if sure else scores

    def sureness(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Sureness | None:
        """The probability of every label, and whether the text has it."""
        if not all("probabilities" in p for p in predictions):
            return None
        _, wanted, names = _numbers(examples, predictions)
        likely = [[p["probabilities"].get(name, 0.0) for name in names] for p in predictions]
        return Sureness(likely, [[number in row for number in range(len(names))] for row in wanted])

    def details(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """Precision, recall and F1 of each label."""
        from pipeline.evaluate.metrics import per_label

        return per_label(*_numbers(examples, predictions))

    def baselines(self, train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, list[Prediction]]:
        """The commonest label, and TF-IDF with a logistic regression for each label."""
        shares = {
            name: count / len(train)
            for name, count in Counter(name for e in train for name in e.fields["label"]).most_common()
        }
        commonest = min(0.5, next(iter(shares.values())))
        thresholds = dict.fromkeys(shares, commonest)
        return {
            "commonest_labels": [_said(e, shares, thresholds) for e in held_out],
            "tfidf_logistic_regression": _tfidf(train, held_out, list(shares), self.settings.class_weights),
        }


def _said(
    example: Example, probabilities: Mapping[str, float], thresholds: Mapping[str, float]
) -> Prediction:
    names = [name for name, likely in probabilities.items() if likely >= thresholds.get(name, 0.5)]
    return {
        "prediction": names,
        "probabilities": {name: round(likely, 6) for name, likely in probabilities.items()},
        "correct": set(names) == set(example.fields["label"]),
    }


def _tfidf(
    train: Sequence[Example], held_out: Sequence[Example], names: Sequence[str], weights: str
) -> list[Prediction]:
    """A label that all texts have, or none, has that share of probability."""
    from pipeline.evaluate.tfidf import TfIdf, linear_classifier

    features = TfIdf(texts_of(train))
    known, asked = features.of(texts_of(train)), features.of(texts_of(held_out))
    columns: dict[str, list[float]] = {}
    for name in names:
        truth = [name in e.fields["label"] for e in train]
        if all(truth):
            columns[name] = [1.0] * len(held_out)
            continue
        columns[name] = linear_classifier(weights).fit(known, truth).predict_proba(asked)[:, 1].tolist()
    rows = zip(*columns.values(), strict=True)
    return [_said(e, dict(zip(columns, row, strict=True)), {}) for e, row in zip(held_out, rows, strict=True)]


def _numbers(
    examples: Sequence[Example], predictions: Sequence[Prediction]
) -> tuple[list[list[int]], list[list[int]], list[str]]:
    """Predicted labels and true ones by their places among the names, and the names."""
    said, wanted = [p["prediction"] for p in predictions], [e.fields["label"] for e in examples]
    known = {name for p in predictions for name in p["probabilities"]}
    names = in_order(known.union(*wanted))
    places = {name: place for place, name in enumerate(names)}
    return [[places[n] for n in row] for row in said], [[places[n] for n in row] for row in wanted], names


def _balanced(count: int, examples: int) -> list[float]:
    """Weights of a text without the label and with it: each of the two halves counts alike."""
    if not 0 < count < examples:
        return [1.0, 1.0]
    return [examples / (2 * (examples - count)), examples / (2 * count)]


def _weighted(logits: Any, labels: Any, weights: Sequence[Sequence[float]]) -> Any:
    import torch

    without, having = torch.tensor(weights, device=labels.device).T
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), labels, reduction="none")
    return (losses * torch.where(labels > 0, having, without)).mean()
