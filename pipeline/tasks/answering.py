"""Answering in words: a question, with a context or without one (closed-book), to the text of its answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.evaluate.statistics import Statistics
from pipeline.recipe import Finetune
from pipeline.sources import Row
from pipeline.sources.columns import text_column
from pipeline.tasks.answers import answers_of
from pipeline.tasks.base import Ask, Example, Prediction, Task, checked, prompt_and_answer, tokens
from pipeline.tasks.spans import likest_sentence_span
from pipeline.tasks.squad_forms import answered_apart, script_files, script_numbers
from pipeline.tasks.windows import beginning

if TYPE_CHECKING:
    from pipeline.evaluate.said import Said, Wanted

NO_ANSWER = "unanswerable"
"""What the model writes for a question without an answer."""

_CONTEXT, _QUESTION, _CUE = "{context}\n\n", "Question: {question}", "\nAnswer:"
_EXAMPLE = (_CONTEXT + _QUESTION + _CUE).format(
    context="Oslo is the capital of Norway.", question="What is the capital of Norway?"
)
_AT_ONCE = 500
"""Questions whose likeness to all of training is held in memory."""


class Answering(Task):
    """The pre-trained model continues context and question with the answer; the loss is on that alone."""

    name = "answering"
    main_metric = "f1"
    usage = f"""\
from transformers import pipeline

answer = pipeline("text-generation", model="REPO")
prompt = {_EXAMPLE!r}  # without a context: from "Question:" on
said = answer(prompt, add_special_tokens=False, do_sample=False, return_full_text=False)[0]["generated_text"]
print(said.strip())  # {NO_ANSWER!r}: there is no answer
"""

    @classmethod
    def prompts(cls, settings: Finetune, reads: bool) -> dict[str, str]:
        """With a context and closed-book."""
        return {
            "from a context": _CONTEXT + _QUESTION + _CUE,
            "without one": _QUESTION + _CUE,
        }

    def examples(self, rows: Iterable[Row]) -> Iterator[Example]:
        """Columns ``question`` and ``answers`` (or ``answer``), or the named ones; perhaps ``context`` and ``id``."""
        for row in rows:
            question = _first(row, "question", self.settings.text_column)
            answers = _first(row, "answers", "answer", self.settings.label_column)
            context = text_column(row, "context", "data") if _is_written(row.values.get("context")) else ""
            fields = {
                "question": text_column(row, question, "text-column"),
                "context": context.strip(),
                "answers": [text for text, _ in answers_of(row, answers, "label-column")],
            }
            if row.values.get("id") is not None:
                fields["id"] = str(row.values["id"])
            group = row.group or row.values.get("title") or fields["context"] or fields["question"]
            yield Example(fields, row.place, group=str(group))

    @property
    def asks(self) -> Mapping[str, Ask]:
        """The question, and a context, which may be empty: closed-book."""
        return {"question": Ask(), "context": Ask(optional=True)}

    def finer_group(self, example: Example) -> str:
        """Its context, or the question where it has none."""
        return str(example.fields["context"] or example.fields["question"])

    def input_text(self, example: Example) -> str:
        """Context and question."""
        return "\n".join(filter(None, (example.fields["context"], example.fields["question"])))

    def prepare_tokenizer(self, tokenizer: Any) -> None:
        """The length of prompt and answer is kept with the model."""
        tokenizer.model_max_length = self.settings.max_tokens

    @property
    def _longest_answer(self) -> int:
        """Tokens, in training as in prediction, so that both see the same prompts."""
        return max(1, min(self.settings.max_new_tokens, self.settings.max_tokens // 2))

    def encode(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> dict[str, list[Any]]:
        """One feature: context, question, cue, the first answer, end of text; a long answer loses its end."""
        answer = tokens(tokenizer, f" {fields['answers'][0] if fields['answers'] else NO_ANSWER}")
        told = [*answer, tokenizer.eos_token_id][: self._longest_answer]
        return prompt_and_answer(tokens(tokenizer, self.prompt(fields, tokenizer)), told)

    def prompt(self, fields: Mapping[str, Any], tokenizer: Any) -> str:
        """What the model continues; a context that does not fit loses its end, and so does a question."""
        most = self.settings.max_tokens - self._longest_answer

        def prompt(context: str, question: str) -> str:
            before = _CONTEXT.format(context=context) if context else ""
            return before + _QUESTION.format(question=question) + _CUE

        def fitting(text: str, whole: Any) -> str:
            """As much of a text as fits with what ``whole`` puts around it."""
            room = most - len(tokens(tokenizer, whole("")))
            kept = text
            while kept and (surplus := len(tokens(tokenizer, whole(kept))) - most) > 0:
                room = min(room - 1, len(tokens(tokenizer, kept)) - surplus)
                kept = beginning(text, max(0, room), tokenizer)
            return kept

        question = fitting(fields["question"], lambda text: prompt("", text))
        return prompt(fitting(fields["context"], lambda text: prompt(text, question)), question)

    def predict_portion(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Prediction]:
        """Greedy answers; the empty one where the model writes that there is none."""
        from pipeline.evaluate.predict import generate_texts

        prompts = [self.prompt(e.fields, tokenizer) for e in examples]
        ids = [tokens(tokenizer, prompt) for prompt in prompts]
        most, batch = self._longest_answer, self.settings.evaluation_tokens
        return [
            {
                "prediction": "" if text == NO_ANSWER else text,
                "is_context_cut": not prompt.startswith(e.fields["context"]),
            }
            for e, prompt, text in zip(
                examples, prompts, generate_texts(model, tokenizer, ids, most, batch), strict=True
            )
        ]

    def asked_by(self, texts: Mapping[str, str]) -> Example:
        """Without answers."""
        given = checked(self.name, self.asks, texts)
        fields = {"question": given["question"], "context": given.get("context", ""), "answers": []}
        return Example(fields, place="", group="")

    def said(self, model: Any, tokenizer: Any, example: Example, wanted: Wanted) -> Said:
        """The answer that is written, or a token of it."""
        from pipeline.evaluate.predict import continuations
        from pipeline.evaluate.said import said_in_words

        prompt = tokens(tokenizer, self.prompt(example.fields, tokenizer))
        answer: Sequence[int] = tokens(tokenizer, f" {wanted.target}")
        if not wanted.target:
            most, batch = self._longest_answer, self.settings.evaluation_tokens
            answer = continuations(model, tokenizer, [prompt], most, batch)[0].ids
        return said_in_words(model, tokenizer, prompt, answer, wanted.token, len(tokens(tokenizer, _CUE)))

    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """SQuAD's exact match and F1, from 0 to 1."""
        from pipeline.evaluate.metrics import SquadMatch

        said, wanted = [p["prediction"] for p in predictions], [e.fields["answers"] for e in examples]
        return SquadMatch().statistics(said, wanted)

    def details(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """The questions with an answer and those without, apart; SQuAD's script; how many contexts did not fit."""
        return {
            **answered_apart(examples, self.statistics(examples, predictions)),
            "squad_script": script_numbers(examples, predictions),
            "contexts_cut": sum(p.get("is_context_cut", False) for p in predictions),
        }

    def files(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """What SQuAD's scripts read."""
        return script_files(examples, predictions)

    def baselines(self, train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, list[Prediction]]:
        """The commonest answer, that of the likest question, and the sentence of the context likest to the question."""
        (commonest, _), *_ = Counter(map(_answer, train)).most_common()
        said = {
            "commonest_answer": [commonest] * len(held_out),
            "likest_question": [_answer(train[i]) for i in _likest(train, held_out)],
        }
        if any(e.fields["context"] for e in held_out):
            said["likest_sentence"] = [_likest_sentence(e) for e in held_out]
        return {name: [{"prediction": text} for text in texts] for name, texts in said.items()}


def _first(row: Row, *names: str) -> str:
    """The first of several columns that a row has, or else the last, which is the one to complain about."""
    return next((name for name in names if name in row.values), names[-1])


def _is_written(value: Any) -> bool:
    return value is not None and bool(str(value).strip())


def _answer(example: Example) -> str:
    return str(next(iter(example.fields["answers"]), ""))


def _likest_sentence(example: Example) -> str:
    context = example.fields["context"]
    return context[slice(*likest_sentence_span(context, example.fields["question"]))] if context else ""


def _likest(train: Sequence[Example], asked: Sequence[Example]) -> list[int]:
    """Of each question, the position of the one in training that is nearest by TF-IDF."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    from pipeline.evaluate.scripts import words

    vectorizer = TfidfVectorizer(analyzer=words, sublinear_tf=True)
    known = vectorizer.fit_transform(e.fields["question"] for e in train).T.tocsr()
    found: list[int] = []
    for start in range(0, len(asked), _AT_ONCE):
        some = vectorizer.transform(e.fields["question"] for e in asked[start : start + _AT_ONCE])
        found += (some @ known).toarray().argmax(1).tolist()
    return found
