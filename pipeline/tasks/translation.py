"""Translation: a text in one language to the same in another, and back where both directions are learnt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.errors import GroundupError
from pipeline.evaluate.placeholders import are_kept, hide, placeholders, put_back, restored
from pipeline.evaluate.statistics import Statistics, joined, ratios
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
from pipeline.tasks.languages import is_multilingual, speak
from pipeline.tasks.together import together

if TYPE_CHECKING:
    from pipeline.evaluate.predict import Continuation
    from pipeline.evaluate.said import Said, Wanted

_ARROW = "\n=>\n"
_SAMPLE = "Open the file {1}"
_NOTE = "# Placeholders such as %(name)s stand as {1}, {2}, ... in what the model reads and writes."


class Translation(Generating):
    """A causal model continues the source with its translation, the loss on that alone; or one reads, one writes.

    Where both directions are learnt, each example says into which language: after the arrow of a prompt, before the
    source as Marian's models for several languages have it (``>>fr<< Open``), or as a multilingual tokenizer does.
    """

    name = "translation"
    main_metric = "chrf"
    pipeline_tag = "translation"
    usage = generation_usage(_SAMPLE + _ARROW, _NOTE)

    @classmethod
    def usage_by(cls, settings: Finetune, reads: bool) -> str:
        """With the prefix, and with the language to write where there are two."""
        prompt = next(iter(cls.prompts(settings, reads).values())).replace("{text}", _SAMPLE)
        return (reading_usage if reads else generation_usage)(prompt, _NOTE)

    @classmethod
    def prompts(cls, settings: Finetune, reads: bool) -> dict[str, str]:
        """One, or one for each language, the targets' first."""
        if not settings.both_directions:
            return {"": settings.prefix + "{text}" + ("" if reads else _ARROW)}
        form = ">>{into}<< {text}" if reads else "{text}\n=> {into}\n"
        return {
            into: settings.prefix + form.replace("{into}", into) for into in cls(settings).languages[::-1]
        }

    @property
    def languages(self) -> tuple[str, str]:
        """Of sources and of targets, by the settings, or else by the names of their columns."""
        settings = self.settings
        return (
            settings.source_language or settings.text_column,
            settings.target_language or settings.label_column,
        )

    def examples(self, rows: Iterable[Row]) -> Iterator[Example]:
        """Two columns, or a column ``translation`` with both languages, or rows of exactly two texts (TMX)."""
        found = (self._example(row) for row in rows)
        yield from self._both_ways(together(list(found))) if self.settings.both_directions else found

    def _example(self, row: Row) -> Example:
        source, target = self._pair(row)
        return Example({"source": source, "target": target}, row.place, group=row.group or source)

    def _pair(self, row: Row) -> tuple[str, str]:
        names = self.settings.text_column, self.settings.label_column
        inner = row.values.get("translation")
        values = inner if isinstance(inner, Mapping) else row.values
        if not set(names) & set(values) and len(values) == 2:
            names = tuple(values)
        row = Row(values, row.place, row.group)
        return text_column(row, names[0], "text-column"), text_column(row, names[1], "label-column")

    def _both_ways(self, examples: Iterable[Example]) -> Iterator[Example]:
        here, there = self.languages
        for example in examples:
            one, other = example.fields["source"], example.fields["target"]
            yield replace(example, fields={"source": one, "target": other, "into": there})
            yield replace(example, fields={"source": other, "target": one, "into": here})

    def kind(self, example: Example) -> str:
        """The direction, where there are two."""
        into = example.fields.get("into", "")
        return f"into {into}" if into else ""

    def asked(self, text: str, into: str = "") -> Example:
        """A text to translate."""
        fields = {"source": text, "target": ""}
        if self.settings.both_directions:
            fields["into"] = self._named(into)
        return Example(fields, place="", group=text)

    @property
    def asks(self) -> Mapping[str, Ask]:
        """A text, and the language to write where the model knows two."""
        into = {"into": Ask(choices=self.languages[::-1])} if self.settings.both_directions else {}
        return {"text": Ask(), **into}

    def asked_by(self, texts: Mapping[str, str]) -> Example:
        """A text to translate."""
        given = checked(self.name, self.asks, texts)
        return self.asked(given["text"], given.get("into", ""))

    def _named(self, into: str) -> str:
        """One of the two languages, also where its region or script is not named, as in a catalogue's header."""
        exact = [name for name in self.languages if name == into]
        alike = [name for name in self.languages if _language(name) == _language(into)]
        if not exact and len(alike) != 1:
            raise GroundupError(
                f"task '{self.name}'",
                f"it translates into {' and '.join(self.languages)}, not into '{into}'",
                "name one of these with --into",
            )
        return (exact or alike)[0]

    def prepare_tokenizer(self, tokenizer: Any) -> None:
        """A multilingual one is told the languages."""
        if is_multilingual(tokenizer):
            speak(tokenizer, *self.languages)

    def generation(self, tokenizer: Any) -> dict[str, Any]:
        """Beams, and the language that a multilingual decoder begins with."""
        begins = speak(tokenizer, *self.languages) if is_multilingual(tokenizer) else None
        return {
            **super().generation(tokenizer),
            **({} if begins is None else {"forced_bos_token_id": begins}),
        }

    def encode(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> dict[str, list[Any]]:
        """One feature; nothing for a pair that is longer than ``max_tokens``.

        Of a causal model source, arrow, target and end of text; of an encoder-decoder each of the two may be so long.
        """
        target = hide(fields["target"], placeholders(fields["source"]))
        if is_encoder_decoder(config):
            features = pair(self._read(fields, tokenizer), self.writing(target, tokenizer))
            length = max(map(len, (features["input_ids"][0], features["labels"][0])))
        else:
            answer = [*tokens(tokenizer, target), tokenizer.eos_token_id]
            features = prompt_and_answer(self._prompt(fields, tokenizer), answer)
            length = len(features["input_ids"][0])
        return features if length <= self.settings.max_tokens else {name: [] for name in features}

    def fits(self, example: Example, tokenizer: Any, config: Any) -> bool:
        """Whether the source has room."""
        if is_encoder_decoder(config):
            return len(self._read(example.fields, tokenizer)) <= self.settings.max_tokens
        source = tokens(tokenizer, self.settings.prefix + self._source(example.fields))
        return len(source) <= self._room(example.fields, tokenizer)

    def _source(self, fields: Mapping[str, Any]) -> str:
        return hide(fields["source"], placeholders(fields["source"]))

    def _read(self, fields: Mapping[str, Any], tokenizer: Any, most: int | None = None) -> list[int]:
        """What an encoder reads, whole or cut to so many tokens."""
        into, source = fields.get("into", ""), self._source(fields)
        if is_multilingual(tokenizer):
            speak(tokenizer, *self._direction(into))
        elif into:
            source = f">>{into}<< {source}"
        return self.reading(source, tokenizer, most)

    def _direction(self, into: str) -> tuple[str, str]:
        here, there = self.languages
        return (there, here) if into == here else (here, there)

    def _prompt(self, fields: Mapping[str, Any], tokenizer: Any) -> list[int]:
        source = tokens(tokenizer, self.settings.prefix + self._source(fields))
        return source[: self._room(fields, tokenizer)] + self._arrow(fields, tokenizer)

    def _arrow(self, fields: Mapping[str, Any], tokenizer: Any) -> list[int]:
        into = fields.get("into", "")
        return tokens(tokenizer, f"\n=> {into}\n" if into else _ARROW)

    def _room(self, fields: Mapping[str, Any], tokenizer: Any) -> int:
        return self.settings.max_tokens - len(self._arrow(fields, tokenizer)) - 1

    def predict_portion(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Prediction]:
        """Translations with the placeholders of their sources."""
        if not is_encoder_decoder(model.config):
            written = self.write(model, tokenizer, [self._prompt(e.fields, tokenizer) for e in examples])
            return [_prediction(e, said) for e, said in zip(examples, written, strict=True)]
        by_direction: dict[str, list[int]] = {}
        for number, example in enumerate(examples):
            by_direction.setdefault(example.fields.get("into", ""), []).append(number)
        found: dict[int, Prediction] = {}
        for into, numbers in by_direction.items():
            options = self._begun(into, tokenizer)
            most = self.settings.max_tokens
            read = [self._read(examples[i].fields, tokenizer, most) for i in numbers]
            written = self.write(model, tokenizer, read, **options)
            found |= {i: _prediction(examples[i], said) for i, said in zip(numbers, written, strict=True)}
        return [found[number] for number in range(len(examples))]

    def _begun(self, into: str, tokenizer: Any) -> dict[str, Any]:
        """How a decoder is told the language, where it is multilingual."""
        begins = speak(tokenizer, *self._direction(into)) if is_multilingual(tokenizer) else None
        return {} if begins is None else {"forced_bos_token_id": begins}

    def said(self, model: Any, tokenizer: Any, example: Example, wanted: Wanted) -> Said:
        """The translation that is written, placeholders as the model has them, or a token of it."""
        if is_encoder_decoder(model.config):
            options = self._begun(example.fields.get("into", ""), tokenizer)
            read = self._read(example.fields, tokenizer, self.settings.max_tokens)
            return self.said_of(model, tokenizer, read, wanted, 0, **options)
        form = len(self._arrow(example.fields, tokenizer))
        return self.said_of(model, tokenizer, self._prompt(example.fields, tokenizer), wanted, form)

    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """BLEU, chrF and chrF++ from 0 to 100; shares of messages that keep their placeholders, of texts that loop."""
        from pipeline.evaluate.metrics import Translation as BleuAndChrf

        said = [p["prediction"] for p in predictions]
        pairs = [(e.fields["source"], p) for e, p in zip(examples, said, strict=True)]
        scores = BleuAndChrf().statistics(said, [e.fields["target"] for e in examples])
        there = [float(bool(placeholders(source))) for source, _ in pairs]
        if not any(there):
            there = [1.0] * len(pairs)  # nothing to lose
        kept = [there[i] * are_kept(source, text) for i, (source, text) in enumerate(pairs)]
        return joined(scores, ratios(placeholders_kept=(kept, there)), self.repetition(predictions))

    def details(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """sacreBLEU's signatures, how many placeholders the model itself had wrong, how often it made no end."""
        from pipeline.evaluate.metrics import translation_signatures

        said, wanted = [p["prediction"] for p in predictions], [e.fields["target"] for e in examples]
        return {
            "signatures": translation_signatures(said, wanted),
            "with_placeholders": sum(bool(placeholders(e.fields["source"])) for e in examples),
            "placeholders_mended": sum(p.get("placeholders_mended", False) for p in predictions),
            "unended": sum(not p.get("ended", True) for p in predictions),
        }

    def baselines(self, train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, list[Prediction]]:
        """The source as it stands."""
        return {"source_copied": [{"prediction": e.fields["source"]} for e in held_out]}


def _prediction(example: Example, said: Continuation) -> Prediction:
    source = example.fields["source"]
    whole = restored(said.text, source)
    mended = whole != put_back(said.text, placeholders(source))
    return {"prediction": whole, "placeholders_mended": mended, "ended": said.ended}


def _language(name: str) -> str:
    """A language's code without region or script."""
    return name.replace("-", "_").split("_")[0].lower()
