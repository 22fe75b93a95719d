"""One label of several for each text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.errors import GroundupError, listed, shown
from pipeline.evaluate.reliability import Sureness, calibration_error
from pipeline.evaluate.statistics import Statistics, joined, means
from pipeline.tasks.base import Example, Likely, Prediction
from pipeline.tasks.problems.base import Loss, Problem, in_order, named, names_in, texts_of
from pipeline.tasks.problems.names import class_name, refuse_many

if TYPE_CHECKING:
    from pipeline.evaluate.outcomes import Outcome


class Classes(Problem):
    """Cross-entropy over the classes; the likeliest one is said, or, of two, the rarer one above a threshold."""

    main_metric = "accuracy"

    def label(self, value: Any, place: str) -> str:
        """A name, or the number of one of ``label_names``."""
        return class_name(value, self.settings.label_names, place)

    def kind(self, label: Any) -> str:
        """The class itself."""
        return str(label)

    def check(self, train: Sequence[Example], held_out: Sequence[Example]) -> None:
        """At least two classes, not as many as texts, and none that comes in the held-out part only."""
        where, counts = self.settings.data, Counter(e.fields["label"] for e in train)
        if len(counts) < 2:
            raise GroundupError(
                where,
                f"all {len(train)} training rows have the label '{shown(next(iter(counts)))}'",
                "give rows of at least two classes",
            )
        refuse_many(len(counts), len(train), where, self.settings.label_column)
        if self.settings.choose_threshold and len(counts) != 2:
            raise GroundupError(
                "--finetune.choose-threshold",
                f"a threshold is between two classes, and there are {len(counts)}",
                "leave it out",
            )
        for example in held_out:
            if example.fields["label"] not in counts:
                raise GroundupError(
                    example.place,
                    f"the label '{shown(example.fields['label'])}' is outside the set of the training part "
                    f"({listed(in_order(counts))})",
                    "mend the row, or add rows of this class",
                )

    def model_config(self, train: Sequence[Example]) -> dict[str, Any]:
        """Label names both ways; the classes of ``label_names`` in their order."""
        counts = Counter(e.fields["label"] for e in train)
        names = list(self.settings.label_names or in_order(counts))
        config = {**named(names), "problem_type": "single_label_classification"}
        if self.settings.class_weights == "balanced":
            config["class_weights"] = _balanced([e.fields["label"] for e in train], names)
        return config

    def target(self, label: Any, config: Any) -> int:
        """The class's number."""
        return config.label2id[label]

    def loss(self, config: Any) -> Loss | None:
        """Each example's cross-entropy times the weight of its class, where classes have weights.

        The mean is over the examples, not over the weights as torch's is, so that it is the same however a global
        batch is divided; balanced weights are 1 in the mean of the training part.
        """
        weights = getattr(config, "class_weights", None)
        if weights is None:
            return None
        by_number = [weights[name] for name in names_in(config)]
        return lambda outputs, labels, **_: _weighted(outputs.logits, labels, by_number)

    def settle(self, model: Any, logits: Any, validation: Sequence[Example]) -> dict[str, Any]:
        """A temperature, so that probabilities are as often right as they say (Guo et al., 2017).

        The last layer is divided by it, so the saved model needs to know of none. Of two classes, where it is asked
        for, also the threshold on the probability of the rarer one that gives its best F1, ``decision_threshold``.
        """
        from pipeline.evaluate.calibration import divide_logits, temperature

        wanted = [model.config.label2id[e.fields["label"]] for e in validation]
        found = temperature(logits, wanted)
        divide_logits(model, found)
        settled: dict[str, Any] = {"temperature": found}
        if self.settings.choose_threshold and model.config.num_labels == 2:
            from pipeline.evaluate.thresholds import best_f1_threshold

            rarer = min((0, 1), key=wanted.count)
            likely = (logits / found).softmax(-1)[:, rarer].tolist()
            threshold = best_f1_threshold(likely, [number == rarer for number in wanted])
            model.config.decision_threshold = {model.config.id2label[rarer]: threshold}
            settled["decision_threshold"] = threshold
        return settled

    def likely(self, logits: Any, config: Any) -> list[dict[str, Likely]]:
        """The softmax; of two classes, where a threshold is settled, that of the rarer one."""
        thresholds = getattr(config, "decision_threshold", None) or {}
        return [
            {name: Likely(p, thresholds.get(name)) for name, p in zip(names_in(config), row, strict=True)}
            for row in logits.softmax(-1).tolist()
        ]

    def predictions(self, logits: Any, config: Any, examples: Sequence[Example]) -> list[Prediction]:
        """The class that is said and its probability."""
        probabilities = logits.softmax(-1)
        numbers = probabilities.argmax(-1)
        for name, threshold in (getattr(config, "decision_threshold", None) or {}).items():
            rarer = config.label2id[name]
            numbers = (probabilities[:, rarer] >= threshold).long()
            numbers = numbers if rarer else 1 - numbers
        sure = probabilities.gather(1, numbers[:, None])[:, 0]
        return [
            _said(example, config.id2label[number], probability)
            for example, number, probability in zip(examples, numbers.tolist(), sure.tolist(), strict=True)
        ]

    def outcomes(self, config: Any) -> dict[str, Outcome]:
        """Its classes."""
        from pipeline.evaluate.outcomes import OfClasses

        return {name: OfClasses(name, number) for number, name in enumerate(names_in(config))}

    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """Accuracy, macro F1 and calibration error; of two classes F1 of the second and Matthews' correlation.

        Where the classes are numbers, and more than two, also how far off the said one is, in the mean.
        """
        from pipeline.evaluate.metrics import Classification, TwoClasses

        said, wanted, names = self._numbers(examples, predictions)
        parts = [Classification().statistics(said, wanted)]
        if len(names) == 2:
            parts.append(TwoClasses().statistics(said, wanted))
        elif len(names) > 2 and all(map(_is_number, names)):
            values = [float(name) for name in names]
            parts.append(means(mae=[abs(values[s] - values[w]) for s, w in zip(said, wanted, strict=True)]))
        sure = self.sureness(examples, predictions)
        return joined(*parts, calibration_error(*sure)) if sure else joined(*parts)

    def sureness(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Sureness | None:
        """The probability of the class that is said."""
        if not all("probability" in p for p in predictions):
            return None
        return Sureness([p["probability"] for p in predictions], [p["correct"] for p in predictions])

    def details(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """Precision, recall and F1 of each class, and the confusion matrix."""
        from pipeline.evaluate.metrics import per_class

        return per_class(*self._numbers(examples, predictions))

    def _numbers(
        self, examples: Sequence[Example], predictions: Sequence[Prediction]
    ) -> tuple[list[int], list[int], list[str]]:
        """Predicted labels and true ones by their place among the names, and the names."""
        said, wanted = [p["prediction"] for p in predictions], [e.fields["label"] for e in examples]
        there = {*said, *wanted}
        names = [name for name in self.settings.label_names if name in there] or in_order(there)
        return [names.index(label) for label in said], [names.index(label) for label in wanted], names

    def baselines(self, train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, list[Prediction]]:
        """The commonest class, and TF-IDF with logistic regression."""
        return {
            "majority_class": self._majority(train, held_out),
            "tfidf_logistic_regression": self._tfidf(train, held_out),
        }

    def _majority(self, train: Sequence[Example], held_out: Sequence[Example]) -> list[Prediction]:
        (label, count), *_ = Counter(e.fields["label"] for e in train).most_common()
        return [_said(e, label, count / len(train)) for e in held_out]

    def _tfidf(self, train: Sequence[Example], held_out: Sequence[Example]) -> list[Prediction]:
        from pipeline.evaluate.tfidf import TfIdf, linear_classifier

        features, classifier = TfIdf(texts_of(train)), linear_classifier(self.settings.class_weights)
        classifier.fit(features.of(texts_of(train)), [e.fields["label"] for e in train])
        probabilities = classifier.predict_proba(features.of(texts_of(held_out)))
        best = probabilities.argmax(-1)
        return [
            _said(e, classifier.classes_[number], float(row[number]))
            for e, row, number in zip(held_out, probabilities, best, strict=True)
        ]


def _said(example: Example, label: str, probability: float) -> Prediction:
    correct = label == example.fields["label"]
    return {"prediction": label, "probability": round(probability, 6), "correct": correct}


def _balanced(labels: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """Examples / (classes × examples of the class); 1 for a class that training has none of."""
    import numpy as np
    from sklearn.utils.class_weight import compute_class_weight

    there = [name for name in names if name in set(labels)]
    found = compute_class_weight("balanced", classes=np.array(there), y=labels).tolist()
    return {**dict.fromkeys(names, 1.0), **dict(zip(there, found, strict=True))}


def _weighted(logits: Any, labels: Any, weights: Sequence[float]) -> Any:
    import torch

    losses = torch.nn.functional.cross_entropy(logits.float(), labels, reduction="none")
    return (losses * torch.tensor(weights, device=labels.device)[labels]).mean()


def _is_number(name: str) -> bool:
    try:
        return math.isfinite(float(name))
    except ValueError:
        return False
