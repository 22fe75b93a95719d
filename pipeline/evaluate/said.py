"""What a model read with one thing that it said of it, and what it still says as tokens are taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DataCollatorWithPadding

from pipeline.errors import GroundupError
from pipeline.evaluate.outcomes import OfDecoded, OfWritten, Outcome
from pipeline.evaluate.predict import forward_batches
from pipeline.model.reading import Place, Reading, decoded, nothing_token

PROMPT = "prompt"
"""Name of the text that a model which writes reads: as its tokens spell it, with the form that the task gives it."""
_MOST_LOGITS = 2**24
"""Numbers in the logits of one batch, unless they are those of one sequence."""

Given = tuple[dict[str, list[int]], list[int]]
"""What a model is given, and where the positions of an outcome stand in it."""


@dataclass(frozen=True)
class Wanted:
    """Which of the things that a model says is meant."""

    target: str = ""
    """A class, an answer in the context, or what the model would have to write; empty takes what it says itself."""
    token: int = 0
    """Of what is written the one of this number, from 1; 0 takes all of it."""


@dataclass(frozen=True)
class Said:
    """What a model read, and one thing that it said of it."""

    reading: Reading
    outcome: Outcome
    read_at: tuple[int, ...]
    """Positions from which the output is computed: attention is followed back from there."""
    beside: Mapping[str, list[int]] = field(default_factory=dict)
    """What it reads beside, always the same: a decoder's input."""
    answer: str = ""
    """All that it wrote, where it writes."""

    @property
    def movable(self) -> list[int]:
        """Positions of the tokens that can be taken away."""
        stay = set(self.outcome.positions)
        return [p for p, place in enumerate(self.reading.places) if place is not None and p not in stay]

    def part(self, kept: Sequence[int]) -> Given:
        """What the model is given of it.

        Args:
            kept: positions of movable tokens; those that are not movable stay.
        """
        gone = set(self.movable) - set(kept)
        features, at = self.reading.part([p for p in range(len(self.reading.places)) if p not in gone])
        return {**features, **self.beside}, [at[p] for p in self.outcome.positions]


def values(
    model: Any, tokenizer: Any, outcome: Outcome, parts: Sequence[Given], batch_tokens: int
) -> list[float]:
    """An outcome's value after each of several sequences.

    Args:
        model: that said it.
        tokenizer: of the model.
        outcome: what it said.
        parts: as ``Said.part`` makes them.
        batch_tokens: in one batch, padding included; fewer where the vocabulary is large.
    """
    features = [given for given, _ in parts]
    longest = max(len(given["input_ids"]) for given in features)
    each = max(1, outcome.numbers(model.config, longest) // longest)
    most = max(1, min(batch_tokens, _MOST_LOGITS // each))
    found = [0.0] * len(parts)
    for batch, outputs in forward_batches(model, features, DataCollatorWithPadding(tokenizer), most):
        at = torch.tensor([parts[i][1] for i in batch], dtype=torch.long, device=model.device)
        for i, value in zip(batch, outcome.value(outputs, at).tolist(), strict=True):
            found[i] = value
        del outputs  # before those of the next batch are there
    return found


def surest(model: Any, tokenizer: Any, windows: Sequence[Said], batch_tokens: int) -> Said:
    """Of windows of a text the one after which the outcome's value is greatest."""
    if len(windows) == 1:
        return windows[0]
    found = [values(model, tokenizer, w.outcome, [w.part(w.movable)], batch_tokens)[0] for w in windows]
    return windows[max(range(len(windows)), key=found.__getitem__)]


def said_in_words(
    model: Any, tokenizer: Any, prompt: Sequence[int], answer: Sequence[int], token: int, form: int = 0
) -> Said:
    """What a model wrote, as something said of its prompt or, an encoder-decoder, of what it read.

    Args:
        model: that wrote it.
        tokenizer: of the model.
        prompt: its tokens.
        answer: tokens that were written, at least one.
        token: the one that is meant, from 1; 0 means all of them.
        form: so many tokens at the prompt's end belong to the task, and are never taken away.

    Raises:
        GroundupError: where so many were not written.
    """
    if token > len(answer):
        raise GroundupError(
            f"--token {token}", f"the model wrote {len(answer)} tokens", "name one of these, or 0 for all"
        )
    chosen = tuple(answer[token - 1 : token] if token else answer)
    text = tokenizer.decode(answer)
    name = f"{tokenizer.decode(chosen)!r}, token {token} of {text!r}" if token else text
    before = list(answer[: token - 1]) if token else []
    if model.config.is_encoder_decoder:
        begin = model.config.decoder_start_token_id
        fed = [begin, *before] if token else [begin, *answer[:-1]]
        outcome: Outcome = OfDecoded(name, chosen, first=len(before))
        return Said(_prompted(prompt, [], tokenizer, form), outcome, (), {"decoder_input_ids": fed}, text)
    written = [*before, *chosen]
    first = len(prompt) + len(before)
    places = tuple(range(first, first + len(chosen)))
    reading = _prompted(prompt, written, tokenizer, form)
    return Said(reading, OfWritten(name, chosen, places), tuple(p - 1 for p in places), answer=text)


def _prompted(prompt: Sequence[int], written: Sequence[int], tokenizer: Any, form: int) -> Reading:
    text, spans = decoded(prompt, tokenizer)
    special = {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}  # an unknown word is a word of the text
    last = len(prompt) - form
    places = [
        None if i in special or number >= last or start >= end else Place(PROMPT, start, end)
        for number, (i, (start, end)) in enumerate(zip(prompt, spans, strict=True))
    ]
    return Reading(
        {"input_ids": [*prompt, *written]},
        [*places, *[None] * len(written)],
        {PROMPT: text},
        written_from=len(prompt),
        nothing=nothing_token(tokenizer),
    )
