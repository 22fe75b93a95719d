"""How likely each token is to come next."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.inference.speaker import Speaker

_VISIBLE = str.maketrans({" ": "␣", "\n": "⏎", "\t": "⇥"})


@dataclass(frozen=True)
class Next:
    """A token that may follow."""

    id: int
    text: str
    """As it is written; of a special token its name."""
    probability: float

    @property
    def visible(self) -> str:
        """With signs for white space; a token without text is told by its number."""
        return self.text.translate(_VISIBLE) or f"token {self.id}"


def likeliest(speaker: Speaker, text: str, count: int) -> list[Next]:
    """The tokens that most likely follow a text, the likeliest first, by the softmax at temperature 1.

    Args:
        speaker: whose model and tokenizer.
        text: what it has read; without any, what begins a text.
        count: of tokens, at most.

    Raises:
        GroundupError: when the text is longer than the model reads.
    """
    import torch

    tokenizer = speaker.tokenizer
    ids = speaker.read(text)
    with torch.no_grad():
        logits = speaker.model(**ids.to(speaker.model.device)).logits[0, -1].float()
    found = logits.softmax(-1).topk(min(count, len(tokenizer), logits.shape[-1]))
    return [
        Next(number, tokenizer.decode([number]), probability)
        for probability, number in zip(found.values.tolist(), found.indices.tolist(), strict=True)
    ]
