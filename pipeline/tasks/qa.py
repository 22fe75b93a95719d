"""Question answering: a question and a context to the span of the context that answers it, or to none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import GroundupError
from pipeline.evaluate.statistics import Statistics
from pipeline.sources import Row
from pipeline.sources.columns import column, text_column
from pipeline.tasks.base import Example, Prediction, Task
from pipeline.tasks.spans import first_sentence_span, likest_sentence_span

_LONGEST_ANSWER = 64
"""Tokens."""

_USAGE = """\
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("REPO")
model = AutoModelForQuestionAnswering.from_pretrained("REPO")
question, context = "What is the capital of Norway?", "Capital, name: Oslo\\nCapital, time difference: UTC+1"
inputs = tokenizer(question + "\\n", context, return_offsets_mapping=True)
places = [place for place, part in enumerate(inputs.sequence_ids()) if part == 1]
with torch.no_grad():  # the last token stands for "no answer"
    output = model(input_ids=torch.tensor([[*inputs["input_ids"], tokenizer.eos_token_id]]))
starts, ends = output.start_logits[0, places], output.end_logits[0, places]
likelier = starts.max() + ends.max() - output.start_logits[0, -1] - output.end_logits[0, -1]
if likelier > getattr(model.config, "no_answer_threshold", 0.0) and starts.argmax() <= ends.argmax():
    first, last = (inputs["offset_mapping"][places[which.argmax()]] for which in (starts, ends))
    print(context[first[0] : last[1]].strip())
"""


@dataclass(frozen=True)
class Window:
    """A question with one stretch of its context, as the model sees them."""

    ids: list[int]
    spans: dict[int, tuple[int, int]]
    """Position of each token of the context, and the characters of the context that it stands for."""

    @property
    def nothing(self) -> int:
        """The position that stands for "no answer": the last, the only one of a causal model that sees all."""
        return len(self.ids) - 1

    def labels(self, start: int, end: int) -> tuple[int, int]:
        """First and last token of an answer's characters; the last position where they are not in this stretch."""
        inside = [t for t, (a, b) in self.spans.items() if a < end and b > start]
        whole = inside and self.spans[inside[0]][0] <= start and self.spans[inside[-1]][1] >= end
        return (inside[0], inside[-1]) if whole else (self.nothing, self.nothing)


class QuestionAnswering(Task):
    """A head that marks where the answer starts and ends (SQuAD; Rajpurkar et al., 2016, 2018)."""

    name = "qa"
    main_metric = "f1"
    model_class = "AutoModelForQuestionAnswering"
    pipeline_tag = "question-answering"
    usage = _USAGE
    validates = True

    def examples(self, rows: Iterable[Row]) -> Iterator[Example]:
        """Columns ``context``, ``question`` and ``answers`` (SQuAD's own form, or that of its Hub data set)."""
        for row in rows:
            context = text_column(row, "context", "data")
            answers = [_placed(text, start, context, row.place) for text, start in _answers(row)]
            fields = {
                "question": text_column(row, "question", "data"),
                "context": context,
                "answers": [text for text, _ in answers],
                "answer_starts": [start for _, start in answers],
            }
            yield Example(fields, row.place, group=row.group or str(row.values.get("title") or context))

    def finer_group(self, example: Example) -> str:
        """Its context: a file may hold one article alone."""
        return str(example.fields["context"])

    def input_text(self, example: Example) -> str:
        """The context."""
        return str(example.fields["context"])

    def encode(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> dict[str, list[Any]]:
        """A feature for each window; ``start_positions`` and ``end_positions`` of the first answer."""
        start = fields["answer_starts"][0] if fields["answers"] else 0
        end = start + len(fields["answers"][0]) if fields["answers"] else 0
        windows = self._windows(fields, tokenizer)
        marks = [
            window.labels(start, end) if fields["answers"] else (window.nothing,) * 2 for window in windows
        ]
        return {
            "input_ids": [window.ids for window in windows],
            "start_positions": [first for first, _ in marks],
            "end_positions": [last for _, last in marks],
        }

    def _windows(self, fields: Mapping[str, Any], tokenizer: Any) -> list[Window]:
        """The question and the context in stretches that overlap by a quarter of ``max_tokens``."""
        most = self.settings.max_tokens
        encoded = tokenizer(
            _beginning(fields["question"], most // 3, tokenizer) + "\n",
            fields["context"],
            truncation="only_second",
            max_length=most - 1,
            stride=most // 4,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            split_special_tokens=True,
        )
        return [
            self._window(encoded, number, fields["context"], tokenizer)
            for number in range(len(encoded["input_ids"]))
        ]

    def _window(self, encoded: Any, number: int, context: str, tokenizer: Any) -> Window:
        ids = encoded["input_ids"][number]
        spans = {}
        for position, (part, (start, end)) in enumerate(
            zip(encoded.sequence_ids(number), encoded["offset_mapping"][number], strict=True)
        ):
            while (
                part == 1 and start < end and context[start].isspace()
            ):  # a token brings the space before it
                start += 1
            if part == 1 and start < end:
                spans[position] = (start, end)
        closed = ids and ids[-1] in tokenizer.all_special_ids
        return Window(ids if closed else [*ids, tokenizer.eos_token_id], spans)

    def settle(self, model: Any, tokenizer: Any, validation: Sequence[Example]) -> dict[str, float]:
        """By how much an answer must be likelier than none: what gives the best F1 (SQuAD 2.0).

        It stands in the model's configuration as ``no_answer_threshold``.
        """
        from pipeline.evaluate.thresholds import best_threshold

        if not validation:
            return {}
        found = self._spans(model, tokenizer, validation)
        answered = [_prediction(e, span, 1.0) for e, (span, _) in zip(validation, found, strict=True)]
        nothing = [_prediction(e, span, -1.0) for e, (span, _) in zip(validation, found, strict=True)]
        scores = (self.statistics(validation, said) for said in (answered, nothing))
        with_answer, without = ([s.of_one(i)["f1"] for i in range(len(validation))] for s in scores)
        threshold = best_threshold([margin for _, margin in found], with_answer, without)
        model.config.no_answer_threshold = threshold
        return {"no_answer_threshold": threshold}

    def predict(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Prediction]:
        """The likeliest span over all windows, or none where every window prefers that."""
        threshold = getattr(model.config, "no_answer_threshold", 0.0)
        return [
            _prediction(example, span, margin - threshold)
            for example, (span, margin) in zip(examples, self._spans(model, tokenizer, examples), strict=True)
        ]

    def _spans(
        self, model: Any, tokenizer: Any, examples: Sequence[Example]
    ) -> list[tuple[tuple[int, int], float]]:
        """Characters of each example's likeliest span, and how much likelier than none it is (logits)."""
        import torch
        from transformers import DataCollatorWithPadding

        from pipeline.evaluate.predict import forward_batches

        windows = [
            (i, window) for i, e in enumerate(examples) for window in self._windows(e.fields, tokenizer)
        ]
        best: list[tuple[float, int, int]] = [(-float("inf"), 0, 0)] * len(examples)
        nothing = [float("inf")] * len(examples)
        collate, most = DataCollatorWithPadding(tokenizer), self.settings.evaluation_tokens
        features = [{"input_ids": window.ids} for _, window in windows]
        for batch, outputs in forward_batches(model, features, collate, most):
            starts, ends = outputs.start_logits.float().cpu(), outputs.end_logits.float().cpu()
            for row, number in enumerate(batch):
                i, window = windows[number]
                none = float(starts[row, window.nothing] + ends[row, window.nothing])
                nothing[i] = min(nothing[i], none)
                positions = torch.tensor(list(window.spans))
                best[i] = max(best[i], _best_span(window, starts[row, positions], ends[row, positions]))
        return [((start, end), score - none) for (score, start, end), none in zip(best, nothing, strict=True)]

    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """SQuAD's exact match and F1, from 0 to 1."""
        from pipeline.evaluate.metrics import SquadMatch

        return SquadMatch().statistics(
            [p["prediction"] for p in predictions], [e.fields["answers"] for e in examples]
        )

    def details(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """The scores of the questions with an answer and of those without, apart."""
        apart = {}
        for name, answered in (("with_answer", True), ("without_answer", False)):
            pairs = [
                (e, p)
                for e, p in zip(examples, predictions, strict=True)
                if bool(e.fields["answers"]) == answered
            ]
            if pairs:
                apart[name] = {
                    **self.score([e for e, _ in pairs], [p for _, p in pairs]),
                    "examples": len(pairs),
                }
        return apart

    def baselines(self, train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, list[Prediction]]:
        """The context's first sentence, and the one that shares most words with the question."""
        return {
            "first_sentence": [
                _prediction(e, first_sentence_span(e.fields["context"]), 1.0) for e in held_out
            ],
            "likest_sentence": [
                _prediction(e, likest_sentence_span(e.fields["context"], e.fields["question"]), 1.0)
                for e in held_out
            ],
        }


def _beginning(text: str, most: int, tokenizer: Any) -> str:
    """The characters that the first tokens of a text stand for."""
    encoded = tokenizer(
        text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True
    )
    return text[: max((end for _, end in encoded["offset_mapping"][:most]), default=0)]


def _prediction(example: Example, span: Sequence[int], margin: float) -> Prediction:
    """A span where it is likelier than "no answer", else an empty one; and how likely the choice is of the two."""
    start, end = span if margin > 0 else (0, 0)
    return {
        "prediction": example.fields["context"][start:end],
        "start": start,
        "end": end,
        "probability": round(1 / (1 + math.exp(-min(abs(margin), 500.0))), 6),
    }


def _best_span(window: Window, starts: Any, ends: Any) -> tuple[float, int, int]:
    """Score and characters of the best span; ``starts`` and ``ends``: logits of the context's tokens."""
    import torch

    if not len(starts):
        return -float("inf"), 0, 0
    allowed = torch.ones(len(starts), len(starts)).triu().tril(_LONGEST_ANSWER - 1).bool()
    scores = (starts[:, None] + ends[None, :]).masked_fill(~allowed, -float("inf"))
    first, last = divmod(int(scores.argmax()), len(starts))
    spans = list(window.spans.values())
    return float(scores[first, last]), spans[first][0], spans[last][1]


def _answers(row: Row) -> list[tuple[str, int | None]]:
    """Texts and starts in either of SQuAD's forms; none where the question has no answer."""
    if row.values.get("is_impossible"):
        return []
    answers = column(row, "answers", "data")
    if isinstance(answers, Mapping):
        texts = answers.get("text", [])
        answers = [
            {"text": text, "answer_start": start}
            for text, start in zip(texts, answers.get("answer_start") or [None] * len(texts), strict=False)
        ]
    if isinstance(answers, str):
        answers = [{"text": answers}]
    if not isinstance(answers, list) or not all(
        isinstance(a, Mapping) and isinstance(a.get("text"), str) for a in answers
    ):
        raise GroundupError(
            row.place, "'answers' is not in SQuAD's form", 'write [{"text": …, "answer_start": …}]'
        )
    return [(answer["text"], answer.get("answer_start")) for answer in answers]


def _placed(text: str, start: int | None, context: str, place: str) -> tuple[str, int]:
    """An answer and where it stands; a wrong start is moved to where the answer stands next to it."""
    if start is not None and text and context[start : start + len(text)] == text:
        return text, start
    places = [i for i in range(len(context)) if context.startswith(text, i)] if text else []
    if not places:
        raise GroundupError(
            place,
            f"the answer '{text[:60]}' does not stand in its context",
            "copy the answer from the context as it is there, or delete the question",
        )
    return text, min(places, key=lambda i: abs(i - (start or 0)))
