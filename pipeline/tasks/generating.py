"""What the tasks whose answer is a text share: two kinds of model, how they write, and how they repeat themselves."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.processes import say
from pipeline.recipe import Finetune
from pipeline.tasks.base import Example, Prediction, Task, tokens

if TYPE_CHECKING:
    from pipeline.evaluate.predict import Continuation
    from pipeline.evaluate.said import Said, Wanted

_TRIED = 200
"""Validation examples by which beams are chosen; all of them are written once for every choice."""


class Generating(Task):
    """A causal model continues a prompt; an encoder-decoder reads the input in its own way, and writes."""

    lead: ClassVar[str] = ""
    """What stands between a prompt and the answer."""

    def __init__(self, settings: Finetune) -> None:
        super().__init__(settings)
        self.validates = len(self._decodings()) > 1

    def class_for(self, config: Any) -> str:
        """By the model to start from."""
        return "AutoModelForSeq2SeqLM" if is_encoder_decoder(config) else self.model_class

    def reading(self, text: str, tokenizer: Any, most: int | None = None) -> list[int]:
        """What an encoder reads: the prefix and the text, with what its tokenizer puts round them.

        Args:
            text: of the input.
            tokenizer: the model's.
            most: tokens to cut it to; None keeps it whole.
        """
        return tokenizer(
            self.settings.prefix + text,
            truncation=most is not None,
            max_length=most,
            split_special_tokens=True,
        )["input_ids"]

    def writing(self, text: str, tokenizer: Any) -> list[int]:
        """What a decoder is to write, whole; it ends with an end of text, whatever the tokenizer does."""
        ids = tokenizer(text_target=text, split_special_tokens=True)["input_ids"]
        return ids if ids and ids[-1] == tokenizer.eos_token_id else [*ids, tokenizer.eos_token_id]

    def write(
        self, model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], **options: Any
    ) -> list[Continuation]:
        """What the model writes, by its generation configuration."""
        from pipeline.evaluate.predict import continuations

        most, batch = self.longest(model.config), self.settings.evaluation_tokens
        return continuations(model, tokenizer, prompts, most, batch, **options)

    def said_of(
        self, model: Any, tokenizer: Any, prompt: Sequence[int], wanted: Wanted, form: int, **options: Any
    ) -> Said:
        """What the model writes after a prompt, or what it would have to write.

        Args:
            model: of the task.
            tokenizer: of the model.
            prompt: its tokens, or those that an encoder reads.
            wanted: the text and the token that are meant.
            form: tokens at the prompt's end that belong to the task.
            options: for ``generate``.
        """
        from pipeline.evaluate.said import said_in_words

        answer: Sequence[int]
        if wanted.target and is_encoder_decoder(model.config):
            answer = self.writing(wanted.target, tokenizer)[:-1]
        elif wanted.target:
            answer = tokens(tokenizer, self.lead + wanted.target)
        else:
            answer = self.write(model, tokenizer, [prompt], **options)[0].ids
        return said_in_words(model, tokenizer, prompt, answer, wanted.token, form)

    def longest(self, config: Any) -> int:
        """Tokens of an answer, at most."""
        return self.settings.max_new_tokens

    def _decodings(self) -> list[dict[str, Any]]:
        """Every number of beams with every length penalty, which one beam has none of."""
        several = [beams for beams in self.settings.beams if beams > 1]
        found: list[dict[str, Any]] = [{"num_beams": 1}] if 1 in self.settings.beams else []
        for beams, penalty in itertools.product(several, self.settings.length_penalties):
            found.append({"num_beams": beams, "length_penalty": penalty})
        return found

    def generation(self, tokenizer: Any) -> dict[str, Any]:
        """The first choice of beams, until ``settle`` has made a better one."""
        return self._decodings()[0]

    def settle(self, model: Any, tokenizer: Any, validation: Sequence[Example]) -> dict[str, float]:
        """Beams and length penalty with the best main metric; of several, the first named.

        They stand in the model's generation configuration. At most 200 examples are written once for every choice.
        """
        if not validation or not self.validates:
            return {}
        tried = validation[:_TRIED]
        best: dict[str, Any] = {}
        greatest = -float("inf")
        for decoding in self._decodings():
            model.generation_config.update(**decoding)
            score = self.score(tried, self.predict(model, tokenizer, tried))[self.main_metric]
            say(f"{self.name}: {self.main_metric} {score:.4g} by {_in_words(decoding)}")
            if score > greatest:
                best, greatest = decoding, score
        model.generation_config.update(**{"length_penalty": 1.0, **best})
        return {**best, f"validation_{self.main_metric}": greatest}

    def repetition(self, predictions: Sequence[Prediction]) -> Any:
        """Statistics of how texts repeat themselves."""
        from pipeline.evaluate.repetition import repetition

        return repetition([p["prediction"] for p in predictions])


def is_encoder_decoder(config: Any) -> bool:
    """Whether a model of this configuration reads with one part and writes with another."""
    return bool(getattr(config, "is_encoder_decoder", False))


def pair(read: list[int], written: list[int]) -> dict[str, list[Any]]:
    """Features of one example for an encoder-decoder."""
    return {"input_ids": [read], "labels": [written]}


def _in_words(decoding: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in decoding.items())
