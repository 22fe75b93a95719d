"""What an export is compared on: the held-out part of the data that the model was made from."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.errors import GroundupError
from pipeline.recipe import Model, Pretrain
from pipeline.settings import from_settings

if TYPE_CHECKING:
    from pipeline.export.original import Original
    from pipeline.stages import Run
    from pipeline.tasks.base import Example, Task

_INPUTS = ("input_ids", "token_type_ids")
"""Of features, what a model reads."""
_CLOSE = 1e-3
"""Numbers that are said are the same within this share; they are rounded."""


class HeldOut(ABC):
    """Held-out entries, what a model says of them, and how good that is."""

    unit: str
    """What speed counts."""
    metric: str
    """The main one."""
    batch_tokens: int

    def __init__(self, entries: Sequence[Any]) -> None:
        self.entries = entries

    @abstractmethod
    def texts(self, tokenizer: Any) -> list[str]:
        """What is read, to try tokenizers on."""

    @abstractmethod
    def features(self, tokenizer: Any, config: Any) -> list[dict[str, Any]]:
        """What a model takes for the entries, one text or window each."""

    @abstractmethod
    def said(self, model: Any, tokenizer: Any, entries: Sequence[Any]) -> list[dict[str, Any]]:
        """What a model says of some of the entries, one by one."""

    @abstractmethod
    def size(self, entries: Sequence[Any]) -> int:
        """How many units they are."""

    @abstractmethod
    def score(self, said: Sequence[dict[str, Any]]) -> float:
        """The main metric over all of the entries."""

    @abstractmethod
    def agreement(
        self, one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]], likeliest: float
    ) -> float:
        """The share of what is said that is the same.

        Args:
            one, other: what two models say of all of the entries.
            likeliest: the share of tokens, or outputs, that have the same greatest logit.
        """


class Examples(HeldOut):
    """Examples of a task, by its own predictions and metrics."""

    unit = "examples"

    def __init__(self, task: Task, examples: Sequence[Example]) -> None:
        super().__init__(examples)
        self.task, self.metric = task, task.main_metric
        self.batch_tokens = task.settings.evaluation_tokens

    def texts(self, tokenizer: Any) -> list[str]:
        return [self.task.input_text(example) for example in self.entries]

    def features(self, tokenizer: Any, config: Any) -> list[dict[str, Any]]:
        found = []
        for example in self.entries:
            columns = self.task.encode(example.fields, tokenizer, config)
            kept = [name for name in _INPUTS if name in columns]
            found += [{name: columns[name][i] for name in kept} for i in range(len(columns["input_ids"]))]
        return found

    def said(self, model: Any, tokenizer: Any, entries: Sequence[Any]) -> list[dict[str, Any]]:
        return self.task.predict(model, tokenizer, entries)

    def size(self, entries: Sequence[Any]) -> int:
        return len(entries)

    def score(self, said: Sequence[dict[str, Any]]) -> float:
        return self.task.score(self.entries, said)[self.metric]

    def agreement(
        self, one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]], likeliest: float
    ) -> float:
        same = sum(_same(a["prediction"], b["prediction"]) for a, b in zip(one, other, strict=True))
        return same / len(one)


class Documents(HeldOut):
    """Held-out text, each document by itself, by the bits that a model needs for a byte."""

    unit = "tokens"
    metric = "bits_per_byte"

    def __init__(self, documents: Sequence[list[int]], size: int, batch_tokens: int) -> None:
        super().__init__(documents)
        self.bytes, self.batch_tokens = size, batch_tokens

    def texts(self, tokenizer: Any) -> list[str]:
        return [tokenizer.decode(document, skip_special_tokens=True) for document in self.entries]

    def features(self, tokenizer: Any, config: Any) -> list[dict[str, Any]]:
        return [{"input_ids": document} for document in self.entries]

    def said(self, model: Any, tokenizer: Any, entries: Sequence[Any]) -> list[dict[str, Any]]:
        from pipeline.evaluate.predict import summed_losses
        from pipeline.tasks.base import IGNORED

        features = [{"input_ids": ids, "labels": [IGNORED, *ids[1:]]} for ids in entries]
        return [{"nats": nats} for nats in summed_losses(model, tokenizer, features, self.batch_tokens)]

    def size(self, entries: Sequence[Any]) -> int:
        return sum(len(document) - 1 for document in entries)

    def score(self, said: Sequence[dict[str, Any]]) -> float:
        from pipeline.evaluate.bits import bits_per_byte

        count, nats = self.size(self.entries), sum(entry["nats"] for entry in said)
        return bits_per_byte(nats / count, count, self.bytes)

    def agreement(
        self, one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]], likeliest: float
    ) -> float:
        return likeliest


def held_out(run: Run, original: Original, limit: int) -> HeldOut:
    """What was held out from a finished model, by the settings that it was made with.

    Args:
        run: of the model.
        original: the model.
        limit: entries, the first ones; 0 takes all.

    Raises:
        GroundupError: when there is nothing to compare it on.
    """
    from pipeline.train.data.examples import read_examples

    if original.task is None:
        return _documents(run, original, limit)
    made = run.artifact(original.stage).manifest()["settings"]
    examples = read_examples(original.task, made["held_out"], made["seed"]).held_out
    return Examples(original.task, examples[: limit or None])


def _documents(run: Run, original: Original, limit: int) -> Documents:
    from pipeline.train.data.blocks import EvaluationRows

    made = run.artifact("pretrain").manifest()["settings"]
    settings, shape = from_settings(Pretrain, made["pretrain"]), from_settings(Model, made["model"])
    shards = run.artifact("tokenizer").path / "shards" / "validation"
    if not settings.steps or not shards.is_dir():
        raise GroundupError(
            original.stage,
            "the run holds no text back to compare an export on",
            "name a task that was fine-tuned with --task",
        )
    tokenizer = original.tokenizer
    rows = EvaluationRows(shards, shape.context, settings.evaluation_tokens, tokenizer.pad_token_id)
    documents = (
        rows.documents if original.stage == "pretrain" else _read_again(run, rows.documents, tokenizer)
    )
    documents = [document for document in documents if len(document) > 1][: limit or None]
    size = len(tokenizer.decode([id for document in documents for id in document[1:]]).encode())
    return Documents(documents, size, settings.micro_batch * shape.context)


def _read_again(run: Run, documents: Sequence[list[int]], tokenizer: Any) -> list[list[int]]:
    """The same text in the tokens of a model that may have begun with another one, as what is aligned may."""
    from pipeline.model.published import load_tokenizer

    before = load_tokenizer(str(run.artifact("pretrain").path))
    return [tokenizer(before.decode(document))["input_ids"] for document in documents]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_CLOSE, abs_tol=_CLOSE)
    return bool(one == other)
