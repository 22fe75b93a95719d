"""Chat: a conversation so far to the assistant's next message."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import GroundupError, nearest
from pipeline.evaluate.statistics import Numbers, Statistics
from pipeline.model.special_tokens import harmless, set_chat_template
from pipeline.sources import Row
from pipeline.sources.columns import column, text_column
from pipeline.tasks.base import IGNORED, Example, Prediction, Task

_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}

Message = dict[str, str]


class Chat(Task):
    """Fine-tunes on conversations; the loss is on the assistant's tokens alone."""

    name = "chat"
    main_metric = "loss"
    lower_is_better = True

    def examples(self, rows: Iterable[Row]) -> Iterator[Example]:
        """A column of messages (role and content, or ShareGPT's from and value), or prompt and response."""
        for row in rows:
            messages = _alternating(self._messages(row))
            if not any(m["role"] == "assistant" for m in messages[1:]):
                raise GroundupError(
                    row.place, "no message of the assistant follows another", "complete the conversation"
                )
            first = next(m["content"] for m in messages if m["role"] == "user")
            yield Example({"messages": messages}, row.place, group=row.group or first)

    def _messages(self, row: Row) -> list[Message]:
        names = [n for n in (self.settings.text_column, "messages", "conversations") if n in row.values]
        name = names[0] if names else self.settings.text_column
        value = column(row, name, "text-column")
        if isinstance(value, list):
            return [_message(entry, row.place, number) for number, entry in enumerate(value, start=1)]
        answer = text_column(row, self.settings.label_column, "label-column")
        return [
            {"role": "user", "content": text_column(row, name, "text-column")},
            {"role": "assistant", "content": answer},
        ]

    def prepare_tokenizer(self, tokenizer: Any) -> None:
        """A chat template, where there is none; remembers the tokenizer for the unigram baseline."""
        self._tokenizer = tokenizer
        set_chat_template(tokenizer)

    def model_config(self, train: Sequence[Example]) -> dict[str, Any]:
        """A reply ends where the assistant's message does."""
        return {"eos_token_id": self._tokenizer.eos_token_id}

    def input_text(self, example: Example) -> str:
        """All that is said."""
        return "\n".join(message["content"] for message in example.fields["messages"])

    def encode(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> dict[str, list[Any]]:
        """Features of whole exchanges, as many as fit into ``max_tokens``; a longer one loses its end."""
        most = self.settings.max_tokens
        features = [_Told()]
        for exchange in _exchanges(fields["messages"]):
            longer = features[-1].then(exchange, tokenizer)
            if features[-1].ids and len(longer.ids) > most:
                features.append(_Told().then(exchange, tokenizer))
            else:
                features[-1] = longer
        cut = [(list(told.ids[:most]), list(told.labels[:most])) for told in features]
        kept = [(ids, labels) for ids, labels in cut if any(label != IGNORED for label in labels[1:])]
        return {"input_ids": [ids for ids, _ in kept], "labels": [labels for _, labels in kept]}

    def predict(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Prediction]:
        """How surprising every reply was (nats, summed), and a greedy one to the conversation's first message.

        The greedy reply has a mild penalty on repetition (Keskar et al., 2019); what is scored has none.
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
        import torch

        from pipeline.evaluate.predict import forward_batches
        from pipeline.evaluate.targets import PadTargets

        owners = [i for i, features in enumerate(encoded) for _ in features["input_ids"]]
        inputs = [
            {"input_ids": ids, "labels": labels}
            for features in encoded
            for ids, labels in zip(features["input_ids"], features["labels"], strict=True)
        ]
        nats = [0.0] * len(encoded)
        pad = PadTargets(tokenizer)

        def without_labels(features: list[dict[str, Any]]) -> Any:
            batch = pad(features)
            del batch["labels"]  # the model would take the loss of all together
            return batch

        for batch, outputs in forward_batches(model, inputs, without_labels, self.settings.evaluation_tokens):
            labels = pad([inputs[i] for i in batch])["labels"].to(outputs.logits.device)
            for number, logits, wanted in zip(batch, outputs.logits, labels, strict=True):
                loss = torch.nn.functional.cross_entropy(
                    logits[:-1].float(), wanted[1:], ignore_index=IGNORED, reduction="sum"
                )
                nats[owners[number]] += float(loss)
        return nats

    def _replies(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[str]:
        from pipeline.evaluate.predict import generate_texts

        prompts = []
        for example in examples:
            opening = _opening(example.fields["messages"])
            text = _render(tokenizer, opening, add_generation_prompt=True)
            prompts.append(_written(tokenizer, text)[-self.settings.max_tokens :])
        most, batch = self.settings.max_new_tokens, self.settings.evaluation_tokens
        return generate_texts(model, tokenizer, prompts, most, batch, repetition_penalty=1.2)

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


def _message(entry: Any, place: str, number: int) -> Message:
    where = f"{place} message {number}"
    if not isinstance(entry, Mapping):
        raise GroundupError(where, "it is no object", 'write {"role": "user", "content": "…"}')
    role, content = entry.get("role", entry.get("from")), entry.get("content", entry.get("value"))
    if role not in _ROLES:
        raise GroundupError(
            where,
            f"the role '{role}' is unknown ({nearest(str(role), _ROLES)})",
            "use system, user or assistant",
        )
    if not isinstance(content, str):
        raise GroundupError(where, "its content is no text", "give every message its text as 'content'")
    return {"role": _ROLES[role], "content": content}


def _alternating(messages: Iterable[Message]) -> list[Message]:
    """Messages without empty ones, successive ones of one role joined; one that begins with a reply loses it."""
    joined: list[Message] = []
    for message in messages:
        if not message["content"].strip():
            continue
        if joined and joined[-1]["role"] == message["role"]:
            joined[-1] = {**message, "content": f"{joined[-1]['content']}\n{message['content']}"}
        elif message["role"] != "assistant" or any(m["role"] == "user" for m in joined):
            joined.append(message)
    return joined


def _exchanges(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Everything up to and with each reply; what no reply follows is left out."""
    part: list[Message] = []
    for message in messages:
        part.append(message)
        if message["role"] == "assistant":
            yield part
            part = []


def _opening(messages: Sequence[Message]) -> list[Message]:
    first = next(i for i, message in enumerate(messages) if message["role"] == "assistant")
    return list(messages[:first])


def _render(tokenizer: Any, messages: Sequence[Message], **options: Any) -> str:
    """A conversation under the template, whose special tokens are the only ones in it."""
    plain = [{**message, "content": harmless(message["content"], tokenizer)} for message in messages]
    return tokenizer.apply_chat_template(plain, tokenize=False, **options)


def _written(tokenizer: Any, text: str) -> list[int]:
    """Tokens of what a template has written, special ones among them."""
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@dataclass(frozen=True)
class _Told:
    """A stretch of a conversation under any chat template, with the assistant's tokens as labels."""

    messages: tuple[Message, ...] = ()
    text: str = ""
    ids: tuple[int, ...] = ()
    labels: tuple[int, ...] = ()

    def then(self, exchange: Sequence[Message], tokenizer: Any) -> _Told:
        """With one more exchange; what the template adds between the prompt and the reply's end is the assistant's."""
        messages = (*self.messages, *exchange)
        prompt = _render(tokenizer, messages[:-1], add_generation_prompt=True)
        whole = _render(tokenizer, messages)
        if not prompt.startswith(self.text) or not whole.startswith(prompt):
            raise GroundupError(
                "chat template",
                "it changes earlier messages as a conversation grows",
                "use a model whose template only adds",
            )
        question, answer = (
            _written(tokenizer, prompt[len(self.text) :]),
            _written(tokenizer, whole[len(prompt) :]),
        )
        labels = [IGNORED] * len(question) + answer
        return _Told(messages, whole, (*self.ids, *question, *answer), (*self.labels, *labels))


def _assistant_tokens(features: Mapping[str, list[Any]]) -> Iterator[int]:
    for labels in features["labels"]:
        yield from (label for label in labels[1:] if label != IGNORED)


def _count(features: Mapping[str, list[Any]]) -> int:
    return sum(1 for _ in _assistant_tokens(features))


def _size(features: Mapping[str, list[Any]], tokenizer: Any) -> int:
    """Bytes of what the assistant says in them."""
    return len(tokenizer.decode(list(_assistant_tokens(features)), skip_special_tokens=True).encode())
