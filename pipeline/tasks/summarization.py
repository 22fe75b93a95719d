"""Summarisation: a document to its summary."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.evaluate.statistics import Statistics
from pipeline.sources import Row
from pipeline.sources.columns import text_column
from pipeline.tasks.base import Example, Prediction, Task, generation_usage, prompt_and_answer, tokens

_CUE = "\nSummary:"


class Summarization(Task):
    """The pre-trained model continues the document with its summary; the loss is on that alone."""

    name = "summarization"
    main_metric = "rougeL"
    pipeline_tag = "summarization"
    usage = generation_usage("The text to summarise." + _CUE)

    def examples(self, rows: Iterable[Row]) -> Iterator[Example]:
        """Columns with the document and its summary."""
        for row in rows:
            text = text_column(row, self.settings.text_column, "text-column")
            summary = text_column(row, self.settings.label_column, "label-column")
            yield Example({"text": text, "summary": summary}, row.place, group=row.group or text)

    def encode(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> dict[str, list[Any]]:
        """One feature: beginning of the document, cue, summary, end of text."""
        answer = [*self._summary_ids(fields["summary"], tokenizer), tokenizer.eos_token_id]
        return prompt_and_answer(self._prompt(fields["text"], tokenizer, len(answer)), answer)

    def _summary_ids(self, summary: str, tokenizer: Any) -> list[int]:
        return tokens(tokenizer, f" {summary}")[: max(1, self.settings.max_tokens // 2)]

    def _prompt(self, text: str, tokenizer: Any, answer: int) -> list[int]:
        cue = tokens(tokenizer, _CUE)
        return tokens(tokenizer, text)[: max(0, self.settings.max_tokens - answer - len(cue))] + cue

    def predict(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Prediction]:
        """Greedy summaries."""
        from pipeline.evaluate.predict import generate_texts

        most = min(self.settings.max_new_tokens, self.settings.max_tokens // 2)
        prompts = [self._prompt(e.fields["text"], tokenizer, most) for e in examples]
        texts = generate_texts(model, tokenizer, prompts, most, self.settings.evaluation_tokens)
        return [{"prediction": " ".join(text.split())} for text in texts]

    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """ROUGE-1, ROUGE-2 and ROUGE-L from 0 to 1."""
        from pipeline.evaluate.metrics import Rouge

        said, wanted = [p["prediction"] for p in predictions], [e.fields["summary"] for e in examples]
        return Rouge().statistics(said, wanted)

    def baselines(self, train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, list[Prediction]]:
        """The document's first sentence, and as many of its first words as a summary usually has."""
        usual = round(statistics.median(len(e.fields["summary"].split()) for e in train))
        texts = [e.fields["text"] for e in held_out]
        return {
            "first_sentence": [{"prediction": first_sentence(text)} for text in texts],
            "lead_words": [{"prediction": " ".join(text.split()[:usual])} for text in texts],
        }


def first_sentence(text: str) -> str:
    """Up to the first full stop, or else the first line."""
    return re.split(r"(?<=[.!?])\s|(?<=[。！？])|\n\n", text.strip(), maxsplit=1)[0].strip()
