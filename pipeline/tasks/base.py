"""What a task is: its examples, its features, its predictions, its score and what it is compared with."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.errors import GroundupError
from pipeline.evaluate.reliability import Sureness
from pipeline.evaluate.statistics import Statistics
from pipeline.recipe import Finetune
from pipeline.sources import Row

if TYPE_CHECKING:
    from pipeline.evaluate.said import Said, Wanted

IGNORED = -100
"""Label of a token that the loss passes over (the convention of torch's cross-entropy)."""

_PORTION = 4096
"""Examples that are tokenised together: enough to find some of like length for each batch."""

_NO_LIMIT = 2**20
"""Tokens: more than an example has."""

Prediction = dict[str, Any]
"""What is written to predictions.jsonl for one example, beside the example itself."""


@dataclass(frozen=True)
class Example:
    """One example in the task's own fields, with where it comes from."""

    fields: Mapping[str, Any]
    place: str
    group: str
    """Examples of one group stay on one side of the split."""

    def with_prediction(self, prediction: Prediction) -> dict[str, Any]:
        """Everything about it and what was said of it, as plain values."""
        return {**self.fields, **prediction, "place": self.place, "group": self.group}


@dataclass(frozen=True)
class Ask:
    """A field of an example that a person gives."""

    choices: tuple[str, ...] = ()
    """Texts to choose from; none for any text."""
    optional: bool = False
    """Whether it may be empty."""


@dataclass(frozen=True)
class Likely:
    """What a classifier says of one label."""

    probability: float
    threshold: float | None = None
    """The probability from which the label is said; None where the likeliest is."""


def checked(name: str, asks: Mapping[str, Ask], texts: Mapping[str, str]) -> dict[str, str]:
    """The texts that were given.

    Raises:
        GroundupError: where one is missing or empty, or is not asked for.
    """
    given = {key: text.strip() for key, text in texts.items() if text.strip()}
    for key in given:
        if key not in asks:
            names = " and ".join(f"--{asked}" for asked in asks)
            raise GroundupError(f"--{key}", f"the task '{name}' reads no {key}", f"it takes {names}")
    for key, ask in asks.items():
        if key not in given and not ask.optional:
            raise GroundupError(
                f"task '{name}'", f"it reads a {key}, and none is given", f"write one (--{key})"
            )
    return given


class Task(ABC):
    """One task. A new one is one file that subclasses this and one line in ``pipeline/tasks/__init__.py``."""

    name: ClassVar[str]
    main_metric: str
    """The metric that the task is judged by, of some tasks by the settings; greater is better unless
    ``lower_is_better``."""
    lower_is_better: bool = False
    model_class: ClassVar[str] = "AutoModelForCausalLM"
    """The stock transformers class that gives the model its head."""
    pipeline_tag: ClassVar[str] = "text-generation"
    """The Hub's name for what the model does."""
    validates: bool = False
    """Whether ``settle`` wants examples that were not trained on."""
    usage: ClassVar[str] = ""
    """Python for the card: runs the model ``REPO`` with transformers alone; empty: what the tag suggests."""

    def __init__(self, settings: Finetune) -> None:
        self.settings = settings

    @classmethod
    def judged_by(cls, metrics: Collection[str]) -> tuple[str, bool]:
        """Of rows with these metrics the main one, and whether less of it is better."""
        return cls.main_metric, cls.lower_is_better

    @classmethod
    def usage_by(cls, settings: Finetune, reads: bool) -> str:
        """``usage`` of a model that these settings made.

        Args:
            settings: of the fine-tuning.
            reads: whether it is an encoder-decoder.
        """
        return cls.usage

    @classmethod
    def prompts(cls, settings: Finetune, reads: bool) -> dict[str, str]:
        """What a model that writes is given, by what is asked of it (a language, say); fields stand in braces.

        Nothing where it is given no text, or is asked in another way. The arguments are those of ``usage_by``.
        """
        return {}

    @abstractmethod
    def examples(self, rows: Iterable[Row]) -> Iterator[Example]:
        """Rows to examples.

        Raises:
            GroundupError: for a row that is none, naming its place and what to do.
        """

    def finer_group(self, example: Example) -> str:
        """What must stay on one side of the split where the data has too few groups to split by them."""
        return example.group

    def kind(self, example: Example) -> str:
        """What the training part must hold at least one example of (a class); all alike when empty."""
        return ""

    def input_text(self, example: Example) -> str:
        """What the model reads; results are told apart by its length."""
        return str(next(iter(example.fields.values())))

    def check(self, train: Sequence[Example], held_out: Sequence[Example]) -> None:  # noqa: B027  # mostly nothing
        """Refuse examples that nothing can be learnt from or measured on, before any training.

        Raises:
            GroundupError: naming the place and what to do.
        """

    def prepare_tokenizer(self, tokenizer: Any) -> None:  # noqa: B027  # most tasks take it as it is
        """Change the tokenizer before anything is encoded (a chat template, say)."""

    def model_config(self, train: Sequence[Example]) -> dict[str, Any]:
        """What the task adds to the model's configuration, such as label names."""
        return {}

    def loss(self, config: Any) -> Callable[..., Any] | None:
        """What takes the place of a head's own loss for one target an example, by the model's configuration.

        Returns:
            Of the model's outputs and ``labels`` of a micro-batch, the mean over its examples; None keeps the head's.
        """
        return None

    @abstractmethod
    def encode(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> dict[str, list[Any]]:
        """One example to training features, as ``datasets.map`` takes them for a batch of one.

        Args:
            fields: an example's fields.
            config: the model's configuration, ``model_config`` included.

        Returns:
            Columns of equal length (one entry a feature; a long example may give several), at least
            ``input_ids`` (a list of token ids) and ``labels`` or whatever the head takes.
        """

    def whole_length(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> int:
        """Tokens of an example as it is, before anything is cut; the arguments are those of ``encode``."""
        unlimited = copy.copy(self)
        unlimited.settings = replace(self.settings, max_tokens=_NO_LIMIT)
        return max(feature_lengths(unlimited.encode(fields, tokenizer, config)), default=0)

    def settle(self, model: Any, tokenizer: Any, validation: Sequence[Example]) -> dict[str, Any]:
        """Settle what training does not (a temperature, a threshold), in the trained model itself.

        Args:
            model: changed in place, so that what is saved says the same to whoever loads it.
            validation: examples that were not trained on; none where the data has too few.

        Returns:
            What was settled, for the details.
        """
        return {}

    def predict(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Prediction]:
        """One prediction per example, in order; the tokens of one portion at a time are in memory."""
        found: list[Prediction] = []
        for start in range(0, len(examples), _PORTION):
            found += self.predict_portion(model, tokenizer, examples[start : start + _PORTION])
        return found

    @abstractmethod
    def predict_portion(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Prediction]:
        """One prediction per example, in order."""

    def class_for(self, config: Any) -> str:
        """The stock transformers class that gives the model of this configuration its head."""
        return self.model_class

    def generation(self, tokenizer: Any) -> dict[str, Any]:
        """What the task adds to the generation configuration that is saved with the model."""
        return {}

    def asked(self, text: str, into: str = "") -> Example:
        """A text that came without a target, as an example to predict.

        Args:
            text: to translate.
            into: a language, where the model knows several.

        Raises:
            GroundupError: by tasks that do not translate, and for a language that the model does not know.
        """
        raise GroundupError(f"task '{self.name}'", "it translates nothing", "name a task that does")

    @property
    def asks(self) -> Mapping[str, Ask]:
        """What a person gives it to read, by name; nothing by a task that takes no text but its data."""
        return {}

    def asked_by(self, texts: Mapping[str, str]) -> Example:
        """Texts that came without a label, as an example.

        Args:
            texts: by name, those of ``asks``.

        Raises:
            GroundupError: where one is missing or is none of the task's, and by tasks that take none.
        """
        if not self.asks:
            raise GroundupError(
                f"task '{self.name}'", "it takes no text but its data", "name a task of Groundup's own"
            )
        return Example(checked(self.name, self.asks, texts), place="", group="")

    def said(self, model: Any, tokenizer: Any, example: Example, wanted: Wanted) -> Said:
        """What the model reads of an example, token by token, and what it says of it: what attribution explains.

        Args:
            model: of the task.
            tokenizer: of the model.
            example: its label is not looked at.
            wanted: which of all that it says.

        Raises:
            GroundupError: where it says no such thing, and by tasks that cannot tell.
        """
        raise GroundupError(
            f"task '{self.name}'", "it does not tell what its model reads", "name a task of Groundup's own"
        )

    def likely(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[dict[str, Likely]]:
        """Of each example, how likely each label is; nothing by tasks without labels, or without probabilities."""
        return [{} for _ in examples]

    def fits(self, example: Example, tokenizer: Any, config: Any) -> bool:
        """Whether the model reads the whole of what it is given; else the task cuts it."""
        return True

    @abstractmethod
    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """What each example adds to the metrics; ``pipeline.evaluate.statistics.means`` makes most of them."""

    def sureness(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Sureness | None:
        """What calibration is measured of; None where the predictions tell no probabilities."""
        return None

    def score(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, float]:
        """Metrics over all of the examples, numbers only."""
        return self.statistics(examples, predictions).score()

    @abstractmethod
    def baselines(self, train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, list[Prediction]]:
        """Predictions of what a model has to beat, by name; the first is the trivial one."""

    def details(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """What a table of numbers does not hold: signatures of metrics, a per-class report."""
        return {}

    def files(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """Predictions as the scripts of others read them: JSON files by name, beside predictions.jsonl."""
        return {}


def generation_usage(prompt: str, note: str = "") -> str:
    """``Task.usage`` of a causal model that answers a prompt."""
    return f"""\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("REPO")
model = AutoModelForCausalLM.from_pretrained("REPO")
{note + chr(10) if note else ""}inputs = tokenizer({prompt!r}, return_tensors="pt", add_special_tokens=False)
output = model.generate(**inputs, max_new_tokens=64)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
"""


def reading_usage(text: str, note: str = "") -> str:
    """``Task.usage`` of an encoder-decoder that reads a text."""
    return f"""\
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("REPO")
model = AutoModelForSeq2SeqLM.from_pretrained("REPO")
{note + chr(10) if note else ""}inputs = tokenizer({text!r}, return_tensors="pt")
output = model.generate(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
print(tokenizer.decode(output[0], skip_special_tokens=True))
"""


def feature_lengths(features: Mapping[str, Sequence[Any]]) -> list[int]:
    """Tokens of each feature: of its input, or of its targets where an encoder-decoder has more of these."""
    labels = features.get("labels") or [0] * len(features["input_ids"])
    written = [len(label) if isinstance(label, list) else 0 for label in labels]
    return [max(len(ids), more) for ids, more in zip(features["input_ids"], written, strict=True)]


def prompt_and_answer(prompt: Sequence[int], answer: Sequence[int]) -> dict[str, list[Any]]:
    """Features of one example for a causal model: the loss is on the answer alone."""
    return {"input_ids": [[*prompt, *answer]], "labels": [[IGNORED] * len(prompt) + list(answer)]}


def tokens(tokenizer: Any, text: str) -> list[int]:
    """A text's tokens without any that the tokenizer would add; what spells a special token is plain text."""
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
