"""What a model said, as a number of its outputs: what attribution explains, and what is measured as tokens go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor


@dataclass(frozen=True)
class Outcome(ABC):
    """One thing that a model said of what it read."""

    name: str
    kind: ClassVar[str]
    """In a word, what it is."""
    unit: ClassVar[str] = "probability"
    """Of ``value``."""

    @property
    def positions(self) -> tuple[int, ...]:
        """Tokens that it is about, which therefore are never taken away."""
        return ()

    @abstractmethod
    def score(self, outputs: Any, at: Tensor) -> Tensor:
        """What is divided among the tokens: log-odds or a log-probability (nats), or a grade.

        Args:
            outputs: of the model, for ``rows`` sequences.
            at: where ``positions`` stand in each of them, ``(rows, positions)``.

        Returns:
            ``(rows,)``, differentiable.
        """

    @abstractmethod
    def value(self, outputs: Any, at: Tensor) -> Tensor:
        """The same as a reader takes it, by ``unit``; ``(rows,)``."""

    def numbers(self, config: Any, tokens: int) -> int:
        """How many numbers the model puts out for a sequence of so many tokens."""
        return 1


@dataclass(frozen=True)
class OfClasses(Outcome):
    """One class of several; the score is its log-odds against all others."""

    number: int
    kind: ClassVar[str] = "class"

    def score(self, outputs: Any, at: Tensor) -> Tensor:
        logits = outputs.logits.float()
        others = [n for n in range(logits.shape[1]) if n != self.number]
        return logits[:, self.number] - logits[:, others].logsumexp(-1)

    def value(self, outputs: Any, at: Tensor) -> Tensor:
        return outputs.logits.float().softmax(-1)[:, self.number]


@dataclass(frozen=True)
class OfLabels(Outcome):
    """One label, of which a text may have several; the score is its log-odds."""

    number: int
    kind: ClassVar[str] = "label"

    def score(self, outputs: Any, at: Tensor) -> Tensor:
        return outputs.logits.float()[:, self.number]

    def value(self, outputs: Any, at: Tensor) -> Tensor:
        return self.score(outputs, at).sigmoid()


@dataclass(frozen=True)
class OfGrades(Outcome):
    """A number that the model says."""

    kind: ClassVar[str] = "grade"
    unit: ClassVar[str] = "grade"

    def score(self, outputs: Any, at: Tensor) -> Tensor:
        return outputs.logits.float()[:, 0]

    def value(self, outputs: Any, at: Tensor) -> Tensor:
        return self.score(outputs, at)


@dataclass(frozen=True)
class OfSpan(Outcome):
    """An answer's first token and its last: their log-probabilities among all tokens, added."""

    first: int
    last: int
    end: int
    """Position of the last token that is read; what stands behind it is padding."""
    kind: ClassVar[str] = "span"

    @property
    def positions(self) -> tuple[int, ...]:
        return self.first, self.last, self.end

    def score(self, outputs: Any, at: Tensor) -> Tensor:
        padding = torch.arange(outputs.start_logits.shape[1], device=at.device) > at[:, 2:]
        sides = [
            side.float().masked_fill(padding, -torch.inf).log_softmax(-1).gather(1, at[:, [number]])[:, 0]
            for number, side in enumerate((outputs.start_logits, outputs.end_logits))
        ]
        return sides[0] + sides[1]

    def value(self, outputs: Any, at: Tensor) -> Tensor:
        """The geometric mean of the two probabilities."""
        return (self.score(outputs, at) / 2).exp()


@dataclass(frozen=True)
class OfWritten(Outcome):
    """Tokens that a causal model wrote, each of which the token before it predicts: their log-probabilities, added."""

    ids: tuple[int, ...]
    places: tuple[int, ...]
    """Their positions in what was read and written."""
    kind: ClassVar[str] = "written"

    @property
    def positions(self) -> tuple[int, ...]:
        return self.places

    def score(self, outputs: Any, at: Tensor) -> Tensor:
        rows = torch.arange(len(at), device=at.device)[:, None]
        return _likelihood(outputs.logits[rows, at - 1], self.ids)

    def value(self, outputs: Any, at: Tensor) -> Tensor:
        """The geometric mean of the tokens' probabilities."""
        return (self.score(outputs, at) / len(self.ids)).exp()

    def numbers(self, config: Any, tokens: int) -> int:
        return tokens * config.get_text_config().vocab_size


@dataclass(frozen=True)
class OfDecoded(Outcome):
    """Tokens that a decoder wrote beside what an encoder read: their log-probabilities, added."""

    ids: tuple[int, ...]
    first: int
    """Place of the decoder's input that predicts the first of them."""
    kind: ClassVar[str] = "written"

    def score(self, outputs: Any, at: Tensor) -> Tensor:
        return _likelihood(outputs.logits[:, self.first : self.first + len(self.ids)], self.ids)

    def value(self, outputs: Any, at: Tensor) -> Tensor:
        """The geometric mean of the tokens' probabilities."""
        return (self.score(outputs, at) / len(self.ids)).exp()

    def numbers(self, config: Any, tokens: int) -> int:
        return (self.first + len(self.ids)) * config.get_text_config().vocab_size


def _likelihood(logits: Tensor, ids: Sequence[int]) -> Tensor:
    """Of tokens by logits, ``(rows, tokens, vocabulary)``: their log-probabilities, added."""
    wanted = torch.tensor(ids, device=logits.device).expand(len(logits), -1)
    return logits.float().log_softmax(-1).gather(-1, wanted[..., None])[..., 0].sum(-1)
