"""What a label is, and all that follows from it: the head's target, what is said, the metrics, the baselines."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.evaluate.reliability import Sureness
from pipeline.evaluate.statistics import Statistics
from pipeline.recipe import Finetune
from pipeline.tasks.base import Example, Likely, Prediction

if TYPE_CHECKING:
    from pipeline.evaluate.outcomes import Outcome

Loss = Callable[..., Any]
"""Of a model's outputs and the labels of a micro-batch: the mean over its examples."""


class Problem(ABC):
    """One kind of label. Examples hold it as ``label``; a second text, where there is one, as ``pair``."""

    main_metric: ClassVar[str]
    lower_is_better: ClassVar[bool] = False

    def __init__(self, settings: Finetune) -> None:
        self.settings = settings

    @abstractmethod
    def label(self, value: Any, place: str) -> Any:
        """A cell's value to a label.

        Raises:
            GroundupError: for what is none, naming the place and what to do.
        """

    def kind(self, label: Any) -> str:
        """What the training part must hold at least one example of; all alike when empty."""
        return ""

    @abstractmethod
    def check(self, train: Sequence[Example], held_out: Sequence[Example]) -> None:
        """Refuse examples that nothing can be learnt from or measured on.

        Raises:
            GroundupError: naming the place and what to do.
        """

    @abstractmethod
    def model_config(self, train: Sequence[Example]) -> dict[str, Any]:
        """What the model's configuration says of the labels; transformers' head takes its loss by it."""

    @abstractmethod
    def target(self, label: Any, config: Any) -> Any:
        """What the head is trained towards: a number of a class, numbers by label, a grade."""

    def loss(self, config: Any) -> Loss | None:
        """What takes the place of the head's own loss."""
        return None

    @abstractmethod
    def settle(self, model: Any, logits: Any, validation: Sequence[Example]) -> dict[str, Any]:
        """Settle in the model, which is changed in place, what training does not.

        Args:
            model: with its configuration.
            logits: ``(examples, outputs)``, of the validation part.
            validation: at least one example.
        """

    def likely(self, logits: Any, config: Any) -> list[dict[str, Likely]]:
        """Of each row of logits, ``(examples, outputs)``, how likely each label is; nothing without probabilities."""
        return [{} for _ in logits]

    @abstractmethod
    def predictions(self, logits: Any, config: Any, examples: Sequence[Example]) -> list[Prediction]:
        """What is said of each example, by its logits, ``(examples, outputs)``."""

    def outcomes(self, config: Any) -> dict[str, Outcome]:
        """All that a model of this configuration can say of a text, by name; nothing where none can be told apart."""
        return {}

    def chosen(self, prediction: Prediction) -> str:
        """The name of what is said first."""
        return str(prediction["prediction"])

    @abstractmethod
    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """What each example adds to the metrics."""

    def sureness(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Sureness | None:
        """What calibration is measured of; None where the predictions tell no probabilities."""
        return None

    @abstractmethod
    def details(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """What a table of numbers does not hold."""

    @abstractmethod
    def baselines(self, train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, list[Prediction]]:
        """Predictions of what a model has to beat, by name; the first is the trivial one."""


def texts_of(examples: Sequence[Example]) -> list[Mapping[str, Any]]:
    """The fields of examples, as the baselines read them."""
    return [example.fields for example in examples]


def in_order(labels: Sequence[str] | set[str] | Mapping[str, Any]) -> list[str]:
    """Numbers by value, then names by alphabet."""

    def place(label: str) -> tuple[bool, float, str]:
        try:
            number = float(label)
        except ValueError:
            number = math.nan
        return (False, number, label) if math.isfinite(number) else (True, 0.0, label)

    return sorted(labels, key=place)


def names_in(config: Any) -> list[str]:
    """Names of a model's labels, by their numbers."""
    return [config.id2label[number] for number in range(config.num_labels)]


def named(names: Sequence[str]) -> dict[str, Any]:
    """Label names both ways, as a model's configuration has them."""
    return {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
