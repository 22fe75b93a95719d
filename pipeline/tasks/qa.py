"""Question answering: a question and a context to the span of the context that answers it, or to none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import GroundupError, refuse_surrogates, shown
from pipeline.evaluate.reliability import Sureness, calibration_error
from pipeline.evaluate.squad import LONGEST_ANSWER, best, exact
from pipeline.evaluate.statistics import Statistics, joined
from pipeline.sources import Row
from pipeline.sources.columns import text_column
from pipeline.tasks.answers import answers_of, placed
from pipeline.tasks.base import Ask, Example, Prediction, Task, checked
from pipeline.tasks.candidates import Candidates, candidates
from pipeline.tasks.spans import first_sentence_span, likest_sentence_span
from pipeline.tasks.squad_forms import answered_apart, script_files, script_numbers
from pipeline.tasks.windows import Span, Window, readings_of, windows_of

if TYPE_CHECKING:
    from pipeline.evaluate.said import Said, Wanted

NO_ANSWER = "no answer"

_USAGE = """\
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("REPO")
model = AutoModelForQuestionAnswering.from_pretrained("REPO")
question, context = "What is the capital of Norway?", "Capital, name: Oslo\\nCapital, time difference: UTC+1"
has_cls = tokenizer.cls_token_id in tokenizer("")["input_ids"]  # stands for "no answer"; else the last token does
windows = tokenizer(
    question + ("" if has_cls else "\\n"),
    context,
    truncation="only_second",
    max_length=tokenizer.model_max_length - (not has_cls),
    stride=tokenizer.model_max_length // 4,
    return_overflowing_tokens=True,
    return_offsets_mapping=True,
    return_token_type_ids=True,
    split_special_tokens=True,
)
found, nothing = [], []
for n, ids in enumerate(windows["input_ids"]):
    spans, parts = windows["offset_mapping"][n], windows.sequence_ids(n)
    inputs = {"input_ids": ids if parts[-1] is None else [*ids, tokenizer.eos_token_id]}
    if has_cls and getattr(model.config, "type_vocab_size", 0) > 1:
        inputs["token_type_ids"] = windows["token_type_ids"][n]
    with torch.no_grad():
        output = model(**{name: torch.tensor([value]) for name, value in inputs.items()})
    starts, ends = output.start_logits[0].tolist(), output.end_logits[0].tolist()
    none = ids.index(tokenizer.cls_token_id) if has_cls else -1
    nothing.append(starts[none] + ends[none])
    places = [p for p, span in enumerate(spans) if parts[p] == 1 and context[slice(*span)].strip()]
    for i, first in enumerate(places):
        for last in places[i : i + LONGEST]:
            found.append((starts[first] + ends[last], spans[first][0], spans[last][1]))
score, start, end = max(found)
is_answered = score - min(nothing) > getattr(model.config, "no_answer_threshold", 0.0)
print(context[start:end].strip() if is_answered else "")
""".replace("LONGEST", str(LONGEST_ANSWER))


class QuestionAnswering(Task):
    """A head that marks where the answer starts and ends (SQuAD; Rajpurkar et al., 2016, 2018)."""

    name = "qa"
    main_metric = "f1"
    model_class = "AutoModelForQuestionAnswering"
    pipeline_tag = "question-answering"
    usage = _USAGE
    validates = True

    def examples(self, rows: Iterable[Row]) -> Iterator[Example]:
        """Columns ``context``, ``question``, ``answers`` (SQuAD's own form, or its Hub data set's), perhaps ``id``."""
        for row in rows:
            context = text_column(row, "context", "data")
            answers = [placed(text, start, context, row.place) for text, start in answers_of(row)]
            fields: dict[str, Any] = {
                "question": text_column(row, "question", "data"),
                "context": context,
                "answers": [text for text, _ in answers],
                "answer_starts": [start for _, start in answers],
            }
            if row.values.get("id") is not None:
                fields["id"] = str(row.values["id"])
            group = row.group or str(row.values.get("title") or context)
            for name in (fields.get("id", ""), group):
                refuse_surrogates(name, row.place)
            yield Example(fields, row.place, group=group)

    @property
    def asks(self) -> Mapping[str, Ask]:
        """Both texts."""
        return {"question": Ask(), "context": Ask()}

    def finer_group(self, example: Example) -> str:
        """Its context: a file may hold one article alone."""
        return str(example.fields["context"])

    def input_text(self, example: Example) -> str:
        """The context."""
        return str(example.fields["context"])

    def prepare_tokenizer(self, tokenizer: Any) -> None:
        """The length of a window is kept with the model."""
        tokenizer.model_max_length = self.settings.max_tokens

    def model_config(self, train: Sequence[Example]) -> dict[str, Any]:
        """Two logits a token, whatever the start was a model of."""
        return {"num_labels": 2}

    def encode(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> dict[str, list[Any]]:
        """A feature for each window; ``start_positions`` and ``end_positions`` of the first answer."""
        windows, answers = self._windows(fields, tokenizer, config), fields["answers"]
        start = fields["answer_starts"][0] if answers else 0
        marks = [w.labels(start, start + len(answers[0])) if answers else (w.nothing,) * 2 for w in windows]
        features = [window.features() for window in windows]
        return {
            **{name: [feature[name] for feature in features] for name in features[0]},
            "start_positions": [first for first, _ in marks],
            "end_positions": [last for _, last in marks],
        }

    def _windows(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> list[Window]:
        return windows_of(
            fields["question"], fields["context"], tokenizer, config, most=self.settings.max_tokens
        )

    def _candidates(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Candidates]:
        windows = [self._windows(e.fields, tokenizer, model.config) for e in examples]
        return candidates(model, tokenizer, windows, self.settings.evaluation_tokens)

    def settle(self, model: Any, tokenizer: Any, validation: Sequence[Example]) -> dict[str, float]:
        """By how much an answer must be likelier than none, and how sure the model is of what it says.

        The threshold is the one with the best F1 (SQuAD 2.0); it stands in the model's configuration as
        ``no_answer_threshold``. The last layer is divided by a temperature with which what is said is as often right
        as its probability says (Guo et al., 2017).
        """
        from pipeline.evaluate.calibration import confidence_temperature, divide_logits
        from pipeline.evaluate.thresholds import best_threshold

        if not validation:
            return {}
        found = self._candidates(model, tokenizer, validation)
        answered, nothing = (self._scores(validation, found, threshold) for threshold in (-np.inf, np.inf))
        threshold = best_threshold([c.margin for c in found], answered["f1"], nothing["f1"])
        said = [int(c.margin > threshold) for c in found]
        right = [bool((answered if choice else nothing)["exact_match"][i]) for i, choice in enumerate(said)]
        temperature = confidence_temperature([c.logits(threshold) for c in found], said, right)
        divide_logits(model, temperature)
        model.config.no_answer_threshold = threshold / temperature
        return {"no_answer_threshold": threshold / temperature, "temperature": temperature}

    def _scores(
        self, examples: Sequence[Example], found: Sequence[Candidates], threshold: float
    ) -> dict[str, list[float]]:
        """Metrics of each example, by name, if one answers above a threshold."""
        texts = [
            {"prediction": e.fields["context"][slice(*c.spans[0])] if c.margin > threshold else ""}
            for e, c in zip(examples, found, strict=True)
        ]
        statistics = self.statistics(examples, texts)
        each = [statistics.of_one(i) for i in range(len(examples))]
        return {name: [float(metrics[name]) for metrics in each] for name in ("exact_match", "f1")}

    def predict_portion(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Prediction]:
        """The likeliest span over all windows, or none where every window prefers that; and the next best ones."""
        threshold = getattr(model.config, "no_answer_threshold", 0.0)
        return [
            found.said(example.fields["context"], threshold, self.settings.n_best)
            for example, found in zip(examples, self._candidates(model, tokenizer, examples), strict=True)
        ]

    def asked_by(self, texts: Mapping[str, str]) -> Example:
        """Without answers."""
        given = checked(self.name, self.asks, texts)
        return Example({**given, "answers": [], "answer_starts": []}, place="", group="")

    def said(self, model: Any, tokenizer: Any, example: Example, wanted: Wanted) -> Said:
        """The answer that is said, the first place of another one, or "no answer"; in the window surest of it."""
        from pipeline.evaluate.outcomes import OfSpan
        from pipeline.evaluate.said import Said, surest

        windows = self._windows(example.fields, tokenizer, model.config)
        question, context = example.fields["question"], example.fields["context"]
        readings = readings_of(question, context, tokenizer, windows, self.settings.max_tokens)
        span = self._span(model, tokenizer, example, wanted.target)
        found = []
        for window, reading in zip(windows, readings, strict=True):
            first, last = window.labels(*span) if span else (window.nothing, window.nothing)
            if first != window.nothing or not span:
                name = context[slice(*span)] if span else NO_ANSWER
                outcome = OfSpan(name, first, last, end=len(window.ids) - 1)
                found.append(Said(reading, outcome, tuple(dict.fromkeys((first, last)))))
        if not found:
            raise GroundupError(
                "--target",
                "the answer is in no window as a whole",
                "name a shorter one, or raise --max-tokens",
            )
        return surest(model, tokenizer, found, self.settings.evaluation_tokens)

    def _span(self, model: Any, tokenizer: Any, example: Example, target: str) -> Span | None:
        """Characters of the answer that is meant; None for no answer."""
        if target:
            start = example.fields["context"].find(target)
            if start < 0 and target != NO_ANSWER:
                raise GroundupError(
                    f"--target {shown(target)}",
                    "the context has no such words",
                    f"name an answer that stands in it, or '{NO_ANSWER}'",
                )
            return (start, start + len(target)) if start >= 0 else None
        (said,) = self.predict(model, tokenizer, [example])
        return (said["start"], said["end"]) if said["start"] < said["end"] else None

    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """SQuAD's exact match and F1, from 0 to 1, and the calibration error of probabilities, where there are any."""
        from pipeline.evaluate.metrics import SquadMatch

        texts, wanted = [p["prediction"] for p in predictions], [e.fields["answers"] for e in examples]
        scores = SquadMatch().statistics(texts, wanted)
        sure = self.sureness(examples, predictions)
        return joined(scores, calibration_error(*sure)) if sure else scores

    def sureness(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Sureness | None:
        """The probability of the answer, and whether it is exactly one of those that are wanted."""
        if not all("probability" in p for p in predictions):
            return None
        pairs = zip(examples, predictions, strict=True)
        right = [bool(best(exact, p["prediction"], e.fields["answers"])) for e, p in pairs]
        return Sureness([p["probability"] for p in predictions], right)

    def details(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """The scores of the questions with an answer and of those without, apart, and those of SQuAD's script."""
        apart = answered_apart(examples, self.statistics(examples, predictions))
        return {**apart, "squad_script": script_numbers(examples, predictions)}

    def files(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """What SQuAD's scripts read."""
        return script_files(examples, predictions)

    def baselines(self, train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, list[Prediction]]:
        """The context's first sentence, and the one that shares most words with the question."""
        return {
            "first_sentence": [_span(e, first_sentence_span(e.fields["context"])) for e in held_out],
            "likest_sentence": [
                _span(e, likest_sentence_span(e.fields["context"], e.fields["question"])) for e in held_out
            ],
        }


def _span(example: Example, span: tuple[int, int]) -> Prediction:
    start, end = span
    return {"prediction": example.fields["context"][start:end], "start": start, "end": end}
