"""Sentiment, or any other classification of texts: a label for a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.errors import GroundupError, nearest
from pipeline.evaluate.statistics import Statistics, joined
from pipeline.sources import Row
from pipeline.sources.columns import column, text_column
from pipeline.tasks.base import Example, Prediction, Task

_MOST_CLASSES = 200


class Sentiment(Task):
    """A sequence-classification head; the labels are named in the model's configuration."""

    name = "sentiment"
    main_metric = "accuracy"
    model_class = "AutoModelForSequenceClassification"
    pipeline_tag = "text-classification"
    validates = True

    def examples(self, rows: Iterable[Row]) -> Iterator[Example]:
        """Columns with the text and the label: a name, or the number of one of ``label_names``."""
        for row in rows:
            text = text_column(row, self.settings.text_column, "text-column")
            label = self._label(row)
            yield Example({"text": text, "label": label}, row.place, group=row.group or text)

    def _label(self, row: Row) -> str:
        value = column(row, self.settings.label_column, "label-column")
        if not isinstance(value, str | int | float):
            kind = type(value).__name__
            raise GroundupError(row.place, f"the label is a {kind}", "use names or numbers as labels")
        label = f"{value:g}" if isinstance(value, float) else str(value).strip().removesuffix(".0")
        names = self.settings.label_names
        if not names or label in names:
            return label
        if label.isdecimal() and int(label) < len(names):
            return names[int(label)]
        known = f"{nearest(label, names)}; the labels are {', '.join(names)}"
        raise GroundupError(
            row.place,
            f"the label '{label}' is outside the set ({known})",
            "mend the row, or name all labels with --finetune.label-names",
        )

    def kind(self, example: Example) -> str:
        """Its label."""
        return str(example.fields["label"])

    def check(self, train: Sequence[Example], held_out: Sequence[Example]) -> None:
        """At least two classes, not as many as texts, and none that comes in the held-out part only."""
        where, counts = self.settings.data, Counter(e.fields["label"] for e in train)
        if len(counts) < 2:
            raise GroundupError(
                where,
                f"all {len(train)} training rows have the label '{next(iter(counts))}'",
                "give rows of at least two classes",
            )
        if len(counts) > _MOST_CLASSES or (len(train) > 20 and len(counts) > len(train) / 2):
            raise GroundupError(
                where,
                f"the column '{self.settings.label_column}' holds {len(counts)} different "
                f"values in {len(train)} rows",
                "name the column of labels with --label-column",
            )
        for example in held_out:
            if example.fields["label"] not in counts:
                raise GroundupError(
                    example.place,
                    f"the label '{example.fields['label']}' is outside the set of the training part "
                    f"({', '.join(_in_order(counts))})",
                    "mend the row, or add rows of this class",
                )

    def model_config(self, train: Sequence[Example]) -> dict[str, Any]:
        """Label names both ways; the classes of ``label_names`` in their order."""
        names = self.settings.label_names or _in_order({e.fields["label"] for e in train})
        return {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}

    def encode(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> dict[str, list[Any]]:
        """One feature; a long text keeps its beginning and its end."""
        return {"input_ids": [self._ids(fields, tokenizer)], "labels": [config.label2id[fields["label"]]]}

    def _ids(self, fields: Mapping[str, Any], tokenizer: Any) -> list[int]:
        """Head and tail carry most of a review's verdict (Sun et al., 2019)."""
        ids, room = (
            tokenizer(fields["text"], split_special_tokens=True)["input_ids"],
            self.settings.max_tokens,
        )
        return ids if len(ids) <= room else ids[: room // 2] + ids[len(ids) - (room - room // 2) :]

    def settle(self, model: Any, tokenizer: Any, validation: Sequence[Example]) -> dict[str, float]:
        """A temperature, so that probabilities are as often right as they say (Guo et al., 2017).

        The last layer is divided by it, so the saved model needs to know of none.
        """
        if not validation:
            return {}
        from pipeline.evaluate.calibration import divide_logits, temperature

        wanted = [model.config.label2id[e.fields["label"]] for e in validation]
        found = temperature(self._logits(model, tokenizer, validation), wanted)
        divide_logits(model, found)
        return {"temperature": found}

    def predict(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Prediction]:
        """The likeliest label and its probability."""
        best = self._logits(model, tokenizer, examples).softmax(-1).max(-1)
        return [
            self._prediction(example, model.config.id2label[number], probability)
            for example, probability, number in zip(
                examples, best.values.tolist(), best.indices.tolist(), strict=True
            )
        ]

    def _logits(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> Any:
        """``(examples, classes)``, in float32."""
        import torch
        from transformers import DataCollatorWithPadding

        from pipeline.evaluate.predict import forward_batches

        features = [
            {"input_ids": self._ids(e.fields, tokenizer) or [tokenizer.pad_token_id]} for e in examples
        ]
        found = torch.empty(len(examples), model.config.num_labels)
        collate = DataCollatorWithPadding(tokenizer)
        for batch, outputs in forward_batches(model, features, collate, self.settings.evaluation_tokens):
            found[batch] = outputs.logits.float().cpu()
        return found

    def _prediction(self, example: Example, label: str, probability: float) -> Prediction:
        correct = label == example.fields["label"]
        return {"prediction": label, "probability": round(probability, 6), "correct": correct}

    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """Accuracy, macro-averaged F1 over the classes that are there or were predicted, and calibration error."""
        from pipeline.evaluate.metrics import Classification, calibration_error

        said, wanted, _ = _numbers(examples, predictions)
        sure, right = [p["probability"] for p in predictions], [p["correct"] for p in predictions]
        return joined(Classification().statistics(said, wanted), calibration_error(sure, right))

    def details(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """Precision, recall and F1 of each class, and the confusion matrix."""
        from pipeline.evaluate.metrics import per_class

        return per_class(*_numbers(examples, predictions))

    def baselines(self, train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, list[Prediction]]:
        """The commonest class, and TF-IDF with logistic regression."""
        return {
            "majority_class": self._majority(train, held_out),
            "tfidf_logistic_regression": self._tfidf(train, held_out),
        }

    def _majority(self, train: Sequence[Example], held_out: Sequence[Example]) -> list[Prediction]:
        (label, count), *_ = Counter(e.fields["label"] for e in train).most_common()
        return [self._prediction(e, label, count / len(train)) for e in held_out]

    def _tfidf(self, train: Sequence[Example], held_out: Sequence[Example]) -> list[Prediction]:
        """Words and pairs of words; of scripts without spaces, up to three characters."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        from pipeline.evaluate.scripts import is_spaceless

        texts = [e.fields["text"] for e in train]
        grams: dict[str, Any] = {"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"}
        if is_spaceless(texts):
            grams = {"analyzer": "char", "ngram_range": (1, 3)}
        classifier = make_pipeline(
            TfidfVectorizer(sublinear_tf=True, min_df=2 if len(texts) > 1000 else 1, **grams),
            LogisticRegression(C=10.0, max_iter=1000),
        )
        classifier.fit(texts, [e.fields["label"] for e in train])
        probabilities = classifier.predict_proba([e.fields["text"] for e in held_out])
        best = probabilities.argmax(-1)
        return [
            self._prediction(e, classifier.classes_[number], float(row[number]))
            for e, row, number in zip(held_out, probabilities, best, strict=True)
        ]


def _in_order(labels: Iterable[str]) -> list[str]:
    """Numbers by value, then names by alphabet."""

    def place(label: str) -> tuple[bool, float, str]:
        try:
            return False, float(label), label
        except ValueError:
            return True, 0.0, label

    return sorted(labels, key=place)


def _numbers(
    examples: Sequence[Example], predictions: Sequence[Prediction]
) -> tuple[list[int], list[int], list[str]]:
    """Predicted labels and true ones by their place among the names, and the names."""
    said, wanted = [p["prediction"] for p in predictions], [e.fields["label"] for e in examples]
    names = _in_order({*said, *wanted})
    return [names.index(label) for label in said], [names.index(label) for label in wanted], names
