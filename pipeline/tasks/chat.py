"""Chat: a conversation so far to the assistant's next message."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import GroundupError
from pipeline.evaluate.statistics import Numbers, Statistics
from pipeline.model.messages import Message, exchanges, opening, read_messages, read_tools
from pipeline.model.turns import ready_for_turns, told, written
from pipeline.sources import Row
from pipeline.sources.columns import column, text_column
from pipeline.tasks.base import IGNORED, Ask, Example, Prediction, Task, checked, tokens

if TYPE_CHECKING:
    from pipeline.evaluate.said import Said, Wanted

_PENALTY = 1.2
"""On repetition, in greedy replies (Keskar et al., 2019)."""


class Chat(Task):
    """Fine-tunes on conversations; the loss is on the assistant's tokens alone."""

    name = "chat"
    main_metric = "loss"
    lower_is_better = True

    def examples(self, rows: Iterable[Row]) -> Iterator[Example]:
        """A column of messages (role and content, or ShareGPT's from and value), or prompt and response.

        A column ``tools`` offers the assistant JSON schemas of functions that it may call.
        """
        for row in rows:
            messages = self._messages(row)
            if not any(m["role"] == "assistant" for m in messages[1:]):
                raise GroundupError(
                    row.place, "no message of the assistant follows another", "complete the conversation"
                )
            first = next(m["content"] for m in messages if m["role"] == "user")
            tools = read_tools(row.values.get("tools"), row.place)
            fields = {"messages": messages, **({"tools": tools} if tools else {})}
            yield Example(fields, row.place, group=row.group or first)

    def _messages(self, row: Row) -> list[Message]:
        names = [n for n in (self.settings.text_column, "messages", "conversations") if n in row.values]
        name = names[0] if names else self.settings.text_column
        value = column(row, name, "text-column")
        if not isinstance(value, list):
            answer = text_column(row, self.settings.label_column, "label-column")
            asked = text_column(row, name, "text-column")
            value = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        return read_messages(value, row.place)

    def prepare_tokenizer(self, tokenizer: Any) -> None:
        """A chat template, where there is none; remembers the tokenizer for the unigram baseline."""
        self._tokenizer = tokenizer
        ready_for_turns(tokenizer)

    def model_config(self, train: Sequence[Example]) -> dict[str, Any]:
        """A reply ends where the assistant's message does."""
        return {"eos_token_id": self._tokenizer.eos_token_id}

    def input_text(self, example: Example) -> str:
        """All that is said."""
        return "\n".join(message["content"] for message in example.fields["messages"])

    def encode(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> dict[str, list[Any]]:
        """Features of whole exchanges, as many as fit into ``max_tokens``; a longer one loses its end.

        Each is a conversation of its own under the model's template, with the system message and the tools.
        """
        tools, most = fields.get("tools") or "", self.settings.max_tokens
        features: dict[str, list[Any]] = {"input_ids": [], "labels": []}
        for messages in self._fitting(fields["messages"], tools, tokenizer):
            whole = told(tokenizer, messages, tools)
            labels = [i if own else IGNORED for i, own in zip(whole.ids, whole.is_reply, strict=True)][:most]
            if any(label != IGNORED for label in labels[1:]):
                features["input_ids"].append(whole.ids[:most])
                features["labels"].append(labels)
        return features

    def whole_length(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> int:
        """Of the whole conversation."""
        return len(written(tokenizer, fields["messages"], fields.get("tools") or ""))

    def _fitting(self, messages: Sequence[Message], tools: str, tokenizer: Any) -> list[list[Message]]:
        """Runs of exchanges that fit, each after the system message."""
        system = [m for m in messages[:1] if m["role"] == "system"]
        runs: list[list[Message]] = []
        for exchange in exchanges(messages[len(system) :]):
            longer = [*(runs[-1] if runs else system), *exchange]
            if runs and len(written(tokenizer, longer, tools)) > self.settings.max_tokens:
                runs.append([*system, *exchange])
            else:
                runs[-1:] = [longer]
        return runs

    def predict_portion(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Prediction]:
        """How surprising every reply was (nats, summed), and a greedy one to the conversation's first message.

        The greedy reply has a mild penalty on repetition; what is scored has none.
        """
        encoded = [self.encode(e.fields, tokenizer, model.config) for e in examples]
        surprise = self._surprise(model, tokenizer, encoded)
        replies = self._replies(model, tokenizer, examples)
        return [
            {
                "prediction": reply,
                "nats": nats,
                "tokens": _count(features),
                "bytes": _size(features, tokenizer),
            }
            for reply, nats, features in zip(replies, surprise, encoded, strict=True)
        ]

    def _surprise(self, model: Any, tokenizer: Any, encoded: Sequence[dict[str, list[Any]]]) -> list[float]:
        from pipeline.evaluate.predict import summed_losses

        owners = [i for i, features in enumerate(encoded) for _ in features["input_ids"]]
        inputs = [
            {"input_ids": ids, "labels": labels}
            for features in encoded
            for ids, labels in zip(features["input_ids"], features["labels"], strict=True)
        ]
        nats = [0.0] * len(encoded)
        losses = summed_losses(model, tokenizer, inputs, self.settings.evaluation_tokens)
        for owner, loss in zip(owners, losses, strict=True):
            nats[owner] += loss
        return nats

    def _replies(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[str]:
        from pipeline.evaluate.predict import generate_texts

        prompts = [self._prompt(example, tokenizer) for example in examples]
        most, batch = self.settings.max_new_tokens, self.settings.evaluation_tokens
        return generate_texts(model, tokenizer, prompts, most, batch, repetition_penalty=_PENALTY)

    def _prompt(self, example: Example, tokenizer: Any) -> list[int]:
        """The conversation up to where the assistant speaks first."""
        messages, tools = example.fields["messages"], example.fields.get("tools") or ""
        return written(tokenizer, opening(messages), tools, ask=True)[-self.settings.max_tokens :]

    @property
    def asks(self) -> Mapping[str, Ask]:
        """The user's first message."""
        return {"text": Ask()}

    def asked_by(self, texts: Mapping[str, str]) -> Example:
        """The user's first message; the reply is yet to come."""
        text = checked(self.name, self.asks, texts)["text"]
        messages = [{"role": role, "content": said} for role, said in (("user", text), ("assistant", ""))]
        return Example({"messages": messages}, place="", group="")

    def said(self, model: Any, tokenizer: Any, example: Example, wanted: Wanted) -> Said:
        """The first reply, or a token of it."""
        from pipeline.evaluate.predict import continuations
        from pipeline.evaluate.said import said_in_words

        prompt = self._prompt(example, tokenizer)
        answer: Sequence[int] = tokens(tokenizer, wanted.target)
        if not wanted.target:
            most, batch = self.settings.max_new_tokens, self.settings.evaluation_tokens
            replies = continuations(model, tokenizer, [prompt], most, batch, repetition_penalty=_PENALTY)
            answer = replies[0].ids
        return said_in_words(model, tokenizer, prompt, answer, wanted.token)

    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """Mean loss (nats) and perplexity per assistant token, and bits per byte of what the assistant says."""
        rows = np.array([[p["nats"], p["tokens"], p["bytes"]] for p in predictions], dtype=np.float64)

        def metrics(sums: Numbers) -> dict[str, float]:
            nats, count, size = sums
            loss = nats / max(1, count)
            return {
                "loss": loss,
                "perplexity": math.exp(min(loss, 700.0)),
                "bits_per_byte": nats / (math.log(2) * max(1, size)),
            }

        return Statistics(rows, metrics)

    def baselines(self, train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, list[Prediction]]:
        """A model that knows how often the assistant uses each token, and nothing else (add-one smoothing)."""
        counts: Counter[int] = Counter()
        for example in train:
            counts.update(_assistant_tokens(self.encode(example.fields, self._tokenizer, None)))
        total = sum(counts.values()) + len(self._tokenizer)
        common = self._tokenizer.decode([t for t, _ in counts.most_common(8)], skip_special_tokens=True)
        predictions = []
        for example in held_out:
            features = self.encode(example.fields, self._tokenizer, None)
            nats = sum(-math.log((counts[t] + 1) / total) for t in _assistant_tokens(features))
            predictions.append(
                {
                    "prediction": common,
                    "nats": nats,
                    "tokens": _count(features),
                    "bytes": _size(features, self._tokenizer),
                }
            )
        return {"unigram": predictions}


def _assistant_tokens(features: Mapping[str, list[Any]]) -> Iterator[int]:
    for labels in features["labels"]:
        yield from (label for label in labels[1:] if label != IGNORED)


def _count(features: Mapping[str, list[Any]]) -> int:
    return sum(1 for _ in _assistant_tokens(features))


def _size(features: Mapping[str, list[Any]], tokenizer: Any) -> int:
    """Bytes of what the assistant says in them."""
    return len(tokenizer.decode(list(_assistant_tokens(features)), skip_special_tokens=True).encode())
