"""Sentiment, or any other classification: labels for a text, or for a pair of texts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.errors import GroundupError, nearest
from pipeline.evaluate.reliability import Sureness
from pipeline.evaluate.statistics import Statistics
from pipeline.recipe import Finetune
from pipeline.sources import Row
from pipeline.sources.columns import column, marked_columns, text_column
from pipeline.tasks.base import Ask, Example, Likely, Prediction, Task, checked
from pipeline.tasks.problems import PROBLEMS, Loss, problem_of

if TYPE_CHECKING:
    from pipeline.evaluate.said import Said, Wanted

_PAIRS = (
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
)
"""Columns of pairs, as data sets call them."""

_OF_BEFORE = ("class_weights", "decision_threshold", "decision_thresholds", "grades", "continuous")
"""What a configuration may say of another training."""


class Sentiment(Task):
    """A sequence-classification head; the labels are named in the model's configuration.

    What a label is, one of several, any number of them or a grade, is a ``Problem``: ``pipeline/tasks/problems``.
    """

    name = "sentiment"
    main_metric = "accuracy"
    model_class = "AutoModelForSequenceClassification"
    pipeline_tag = "text-classification"
    validates = True

    def __init__(self, settings: Finetune) -> None:
        super().__init__(settings)
        self.problem = problem_of(settings)
        if settings.problem != "classes":
            self.main_metric, self.lower_is_better = self.problem.main_metric, self.problem.lower_is_better

    @classmethod
    def judged_by(cls, metrics: Collection[str]) -> tuple[str, bool]:
        """Accuracy, or what the other problems have instead."""
        others = (p for name, p in PROBLEMS.items() if name != "classes" and p.main_metric in metrics)
        found = next(others, cls)
        return found.main_metric, found.lower_is_better

    def examples(self, rows: Iterable[Row]) -> Iterator[Example]:
        """Columns with the text, the second text if ``pair_column`` names one, and the label."""
        for row in rows:
            fields = self._texts(row)
            fields["label"] = self.problem.label(self._cell(row), row.place)
            yield Example(fields, row.place, group=row.group or fields["text"])

    def _texts(self, row: Row) -> dict[str, Any]:
        first, second = self.settings.text_column, self.settings.pair_column
        pair = next((names for names in _PAIRS if set(names) <= set(row.values)), None)
        if pair and first not in row.values:
            raise GroundupError(
                row.place,
                f"there is no column '{first}', but two texts",
                f"name them with --text-column {pair[0]} --pair-column {pair[1]}",
            )
        texts = {"text": text_column(row, first, "text-column")}
        return {**texts, "pair": text_column(row, second, "pair-column")} if second else texts

    def _cell(self, row: Row) -> Any:
        """The label's; where a text may have no label it may be empty, or be a column of 0 and 1 for each label."""
        name, names = self.settings.label_column, self.settings.label_names
        if self.settings.problem == "labels":
            if name not in row.values and set(names) & set(row.values):
                return marked_columns(row, names, "finetune.label-names")
            if not str(row.values.get(name, name) or "").strip():
                return None
        return column(row, name, "label-column")

    def finer_group(self, example: Example) -> str:
        """Both texts: many pairs may share their first one."""
        return self.input_text(example)

    def kind(self, example: Example) -> str:
        """Its class, where it has exactly one."""
        return self.problem.kind(example.fields["label"])

    def input_text(self, example: Example) -> str:
        """The text, or both."""
        return "\n".join(example.fields[name] for name in ("text", "pair") if name in example.fields)

    def check(self, train: Sequence[Example], held_out: Sequence[Example]) -> None:
        """Labels that differ, and are known from training."""
        self.problem.check(train, held_out)

    def prepare_tokenizer(self, tokenizer: Any) -> None:
        """What whoever loads the saved tokenizer shall do alike: cut at the same length, take no word for a mark."""
        from pipeline.tasks.texts import set_pair_template

        tokenizer.model_max_length = min(tokenizer.model_max_length, self.settings.max_tokens)
        tokenizer.split_special_tokens = tokenizer.init_kwargs["split_special_tokens"] = True
        if self.settings.pair_column:
            set_pair_template(tokenizer)

    def model_config(self, train: Sequence[Example]) -> dict[str, Any]:
        """Names of the labels, and by which loss they are learnt; nothing of what the start was once fine-tuned for."""
        return {**dict.fromkeys(_OF_BEFORE), **self.problem.model_config(train)}

    def loss(self, config: Any) -> Loss | None:
        """A weighted one where classes have weights."""
        return self.problem.loss(config)

    def encode(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> dict[str, list[Any]]:
        """One feature, or one for each window of the text, all with the text's label."""
        from pipeline.tasks.texts import read

        features = read(fields, tokenizer, self.settings)
        target = self.problem.target(fields["label"], config)
        columns = {name: [feature[name] for feature in features] for name in features[0]}
        return {**columns, "labels": [target] * len(features)}

    def settle(self, model: Any, tokenizer: Any, validation: Sequence[Example]) -> dict[str, Any]:
        """A temperature and thresholds, where the problem has them; weights of classes are told with them."""
        weights = getattr(model.config, "class_weights", None)
        told = {"class_weights": weights} if weights else {}
        if not validation:
            return told
        logits = self._logits(model, tokenizer, validation)
        return {**told, **self.problem.settle(model, logits, validation)}

    def predict_portion(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Prediction]:
        """What the problem makes of the logits."""
        return self.problem.predictions(self._logits(model, tokenizer, examples), model.config, examples)

    @property
    def asks(self) -> Mapping[str, Ask]:
        """The text, or both."""
        return {"text": Ask(), **({"pair": Ask()} if self.settings.pair_column else {})}

    def likely(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[dict[str, Likely]]:
        """Of each label its probability and threshold, as the problem has them."""
        return self.problem.likely(self._logits(model, tokenizer, examples), model.config)

    def _logits(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> Any:
        """``(examples, outputs)``, the mean over a text's windows; in float32, as others load the model."""
        from pipeline.evaluate.predict import mean_logits
        from pipeline.tasks.texts import read

        features = [read(e.fields, tokenizer, self.settings) for e in examples]
        return mean_logits(model, tokenizer, features, self.settings.evaluation_tokens)

    def asked_by(self, texts: Mapping[str, str]) -> Example:
        """Without a label."""
        return Example({**checked(self.name, self.asks, texts), "label": ()}, place="", group="")

    def said(self, model: Any, tokenizer: Any, example: Example, wanted: Wanted) -> Said:
        """The class that is said, or another one; of several windows the one that is surest of it."""
        from pipeline.evaluate.said import Said, surest
        from pipeline.tasks.texts import head_reads_at, readings

        outcomes = self.problem.outcomes(model.config)
        (prediction,) = self.predict(model, tokenizer, [example])
        name = wanted.target or self.problem.chosen(prediction)
        if name not in outcomes:
            raise GroundupError(f"--target {name}", "the model says no such thing", nearest(name, outcomes))
        windows = [
            Said(reading, outcomes[name], (head_reads_at(reading, tokenizer),))
            for reading in readings(example.fields, tokenizer, self.settings)
        ]
        return surest(model, tokenizer, windows, self.settings.evaluation_tokens)

    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """The problem's metrics."""
        return self.problem.statistics(examples, predictions)

    def sureness(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Sureness | None:
        """That of the class, or of every label or grade."""
        return self.problem.sureness(examples, predictions)

    def details(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """Precision, recall and F1 of each class, and the confusion matrix."""
        return self.problem.details(examples, predictions)

    def baselines(self, train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, list[Prediction]]:
        """What always says the same, and a linear model of TF-IDF."""
        return self.problem.baselines(train, held_out)
