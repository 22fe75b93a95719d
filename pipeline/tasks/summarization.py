"""Summarisation: a document to its summary."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.evaluate.statistics import Statistics, joined
from pipeline.recipe import Finetune
from pipeline.sources import Row
from pipeline.sources.columns import text_column
from pipeline.tasks.base import (
    Ask,
    Example,
    Prediction,
    checked,
    generation_usage,
    prompt_and_answer,
    reading_usage,
    tokens,
)
from pipeline.tasks.generating import Generating, is_encoder_decoder, pair

if TYPE_CHECKING:
    from pipeline.evaluate.said import Said, Wanted

_SAMPLE = "The text to summarise."
_CUE = "\nSummary:"


class Summarization(Generating):
    """A causal model continues the document with its summary, the loss on that alone; or one reads, one writes."""

    name = "summarization"
    main_metric = "rougeL"
    pipeline_tag = "summarization"
    lead = " "
    usage = generation_usage(_SAMPLE + _CUE)

    @classmethod
    def usage_by(cls, settings: Finetune, reads: bool) -> str:
        """With the prefix."""
        prompt = cls.prompts(settings, reads)[""].replace("{text}", _SAMPLE)
        return (reading_usage if reads else generation_usage)(prompt)

    @classmethod
    def prompts(cls, settings: Finetune, reads: bool) -> dict[str, str]:
        """The document, and the cue of a causal model."""
        return {"": settings.prefix + "{text}" + ("" if reads else _CUE)}

    def examples(self, rows: Iterable[Row]) -> Iterator[Example]:
        """Columns with the document and its summary."""
        for row in rows:
            text = text_column(row, self.settings.text_column, "text-column")
            summary = text_column(row, self.settings.label_column, "label-column")
            yield Example({"text": text, "summary": summary}, row.place, group=row.group or text)

    @property
    def asks(self) -> Mapping[str, Ask]:
        """The document."""
        return {"text": Ask()}

    def encode(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> dict[str, list[Any]]:
        """One feature: beginning of the document, cue, summary, end of text; of an encoder-decoder both apart."""
        if is_encoder_decoder(config):
            most = self.settings.max_tokens
            written = self.writing(fields["summary"], tokenizer)
            return pair(self.reading(fields["text"], tokenizer, most), [*written[: most - 1], written[-1]])
        answer = [*self._summary_ids(fields["summary"], tokenizer), tokenizer.eos_token_id]
        return prompt_and_answer(self._prompt(fields["text"], tokenizer, len(answer)), answer)

    def _summary_ids(self, summary: str, tokenizer: Any) -> list[int]:
        return tokens(tokenizer, self.lead + summary)[: max(1, self.settings.max_tokens // 2)]

    def _prompt(self, text: str, tokenizer: Any, answer: int) -> list[int]:
        cue = tokens(tokenizer, _CUE)
        text = self.settings.prefix + text
        return tokens(tokenizer, text)[: max(0, self.settings.max_tokens - answer - len(cue))] + cue

    def longest(self, config: Any) -> int:
        """A prompt and its summary share ``max_tokens``; an encoder's input and its summary do not."""
        most = self.settings.max_new_tokens
        return most if is_encoder_decoder(config) else min(most, self.settings.max_tokens // 2)

    def _asked(self, text: str, tokenizer: Any, config: Any) -> list[int]:
        """What the model reads before it writes."""
        if is_encoder_decoder(config):
            return self.reading(text, tokenizer, self.settings.max_tokens)
        return self._prompt(text, tokenizer, self.longest(config))

    def asked_by(self, texts: Mapping[str, str]) -> Example:
        """Without a summary."""
        return Example({**checked(self.name, self.asks, texts), "summary": ""}, place="", group="")

    def said(self, model: Any, tokenizer: Any, example: Example, wanted: Wanted) -> Said:
        """The summary that is written, or a token of it."""
        prompt = self._asked(example.fields["text"], tokenizer, model.config)
        form = 0 if is_encoder_decoder(model.config) else len(tokens(tokenizer, _CUE))
        return self.said_of(model, tokenizer, prompt, wanted, form)

    def predict_portion(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Prediction]:
        """Summaries in one line."""
        prompts = [self._asked(e.fields["text"], tokenizer, model.config) for e in examples]
        return [
            {"prediction": " ".join(said.text.split()), "ended": said.ended}
            for said in self.write(model, tokenizer, prompts)
        ]

    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """ROUGE-1, ROUGE-2 and ROUGE-L from 0 to 1, the share of summaries that loop, and how varied they are."""
        from pipeline.evaluate.metrics import Rouge

        said, wanted = [p["prediction"] for p in predictions], [e.fields["summary"] for e in examples]
        return joined(Rouge().statistics(said, wanted), self.repetition(predictions))

    def details(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """How often the model itself made no end."""
        return {"unended": sum(not p.get("ended", True) for p in predictions)}

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
