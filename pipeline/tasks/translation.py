"""Translation: a text in one language to the same in another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.evaluate.statistics import Statistics, joined, ratios
from pipeline.sources import Row
from pipeline.sources.columns import text_column
from pipeline.tasks.base import Example, Prediction, Task, generation_usage, prompt_and_answer, tokens
from pipeline.tasks.placeholders import are_kept, hide, mended, placeholders, put_back

_ARROW = "\n=>\n"
_NOTE = "# Placeholders such as %(name)s stand as {1}, {2}, ... in what the model reads and writes."


class Translation(Task):
    """The pre-trained model continues the source with its translation; the loss is on that alone."""

    name = "translation"
    main_metric = "chrf"
    pipeline_tag = "translation"
    usage = generation_usage("Open the file {1}" + _ARROW, _NOTE)

    def examples(self, rows: Iterable[Row]) -> Iterator[Example]:
        """Two columns, or a column ``translation`` with both languages, or rows of exactly two texts (TMX)."""
        for row in rows:
            source, target = self._pair(row)
            yield Example({"source": source, "target": target}, row.place, group=row.group or source)

    def _pair(self, row: Row) -> tuple[str, str]:
        names = self.settings.text_column, self.settings.label_column
        inner = row.values.get("translation")
        values = inner if isinstance(inner, Mapping) else row.values
        if not set(names) & set(values) and len(values) == 2:
            names = tuple(values)
        row = Row(values, row.place, row.group)
        return text_column(row, names[0], "text-column"), text_column(row, names[1], "label-column")

    def encode(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> dict[str, list[Any]]:
        """One feature: source, arrow, target, end of text; nothing for a pair longer than ``max_tokens``."""
        known = placeholders(fields["source"])
        answer = [*tokens(tokenizer, hide(fields["target"], known)), tokenizer.eos_token_id]
        features = prompt_and_answer(self._prompt(fields, tokenizer), answer)
        fits = len(features["input_ids"][0]) <= self.settings.max_tokens
        return features if fits else {name: [] for name in features}

    def _prompt(self, fields: Mapping[str, Any], tokenizer: Any) -> list[int]:
        source, arrow = hide(fields["source"], placeholders(fields["source"])), tokens(tokenizer, _ARROW)
        room = self.settings.max_tokens - len(arrow) - 1
        return tokens(tokenizer, source)[:room] + arrow

    def predict(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Prediction]:
        """Greedy translations with the placeholders of their sources."""
        from pipeline.evaluate.predict import generate_texts

        texts = generate_texts(
            model,
            tokenizer,
            [self._prompt(e.fields, tokenizer) for e in examples],
            self.settings.max_new_tokens,
            self.settings.evaluation_tokens,
        )
        return [self._prediction(e, text) for e, text in zip(examples, texts, strict=True)]

    def _prediction(self, example: Example, text: str) -> Prediction:
        known = placeholders(example.fields["source"])
        translated = put_back(text, known)
        whole = mended(translated, known)
        return {"prediction": whole, "placeholders_mended": whole != translated}

    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """BLEU and chrF from 0 to 100, and the share of placeholder messages whose placeholders are all there."""
        from pipeline.evaluate.metrics import Translation as BleuAndChrf

        said = [p["prediction"] for p in predictions]
        pairs = [(e.fields["source"], p) for e, p in zip(examples, said, strict=True)]
        scores = BleuAndChrf().statistics(said, [e.fields["target"] for e in examples])
        there = [float(bool(placeholders(source))) for source, _ in pairs]
        if not any(there):
            there = [1.0] * len(pairs)  # nothing to lose
        kept = [there[i] * are_kept(source, text) for i, (source, text) in enumerate(pairs)]
        return joined(scores, ratios(placeholders_kept=(kept, there)))

    def details(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """sacreBLEU's signatures, and how many placeholders the model itself had wrong."""
        from pipeline.evaluate.metrics import translation_signatures

        said, wanted = [p["prediction"] for p in predictions], [e.fields["target"] for e in examples]
        return {
            "signatures": translation_signatures(said, wanted),
            "with_placeholders": sum(bool(placeholders(e.fields["source"])) for e in examples),
            "placeholders_mended": sum(p.get("placeholders_mended", False) for p in predictions),
        }

    def baselines(self, train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, list[Prediction]]:
        """The source as it stands."""
        return {"source_copied": [{"prediction": e.fields["source"]} for e in held_out]}
