"""Rounds in which contenders take turns, and what they make of them: a table with ratios, and JSON."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.turns import Contender, Training, Turn


@dataclass(frozen=True)
class Entrant:
    """One that takes part."""

    name: str
    label: str
    """What the table calls it."""
    module: str
    """Of benchmarks/, which trains."""
    argument: str = ""
    """What the module takes before the training."""
    aim: float | None = None
    """How many times as fast Groundup wants to be at least."""

    def command(self, python: str) -> list[str]:
        """How to start it with an interpreter."""
        return [python, "-m", f"benchmarks.{self.module}", *filter(None, [self.argument])]


@dataclass
class Scores:
    """What was measured, round by round."""

    training: Training
    flops_per_token: float
    """Of one training step (``pipeline.model.cost``)."""
    filled: Mapping[str, float]
    """Share of the positions that hold tokens, for contenders that pack rows; the others' are full."""
    steps: int
    """Optimiser steps in each turn."""
    turns: dict[str, list[Turn]] = field(default_factory=dict)
    peaks: list[float] = field(default_factory=list)
    """FLOP/s that each round's utilisation is a share of."""

    def speeds(self, name: str) -> list[float]:
        """A contender's tokens per second in each round, padding not counted."""
        tokens = self.steps * self.training.tokens_per_step * self.filled.get(name, 1.0)
        return [tokens / turn.seconds for turn in self.turns[name]]

    def ratios(self, name: str, other: str) -> list[float]:
        """How many times as fast as another one, in each round."""
        pairs = zip(self.speeds(name), self.speeds(other), strict=True)
        return [mine / theirs for mine, theirs in pairs]

    def utilisation(self, name: str) -> float:
        """Operations that the model needs as a share of the peak: median of the rounds."""
        rounds = zip(self.speeds(name), self.peaks, strict=True)
        return statistics.median(speed * self.flops_per_token / peak for speed, peak in rounds)

    def as_json(self, ours: str) -> dict[str, Any]:
        """All of it as plain values, with how many times as fast one contender is as each."""
        return {
            "training": {name: value for name, value in asdict(self.training).items() if name != "tokens"},
            "flops_per_token": self.flops_per_token,
            "peak_flops_per_second": self.peaks,
            "steps_per_round": self.steps,
            "contenders": {
                name: {
                    "tokens_per_second": statistics.median(self.speeds(name)),
                    "rounds": self.speeds(name),
                    "filled": self.filled.get(name, 1.0),
                    "utilisation": self.utilisation(name),
                    f"{ours}_times_as_fast": statistics.median(self.ratios(ours, name)),
                }
                for name in self.turns
            },
        }


def play(contenders: Sequence[Contender], scores: Scores, rounds: int, peak: Callable[[], float]) -> None:
    """Rounds in which all make the same number of steps; every other one in reverse order.

    Args:
        contenders: that are ready.
        scores: filled here.
        rounds: how many.
        peak: FLOP/s of the device at this moment.
    """
    scores.turns = {contender.name: [] for contender in contenders}
    for number in range(1, rounds + 1):
        scores.peaks.append(peak())
        for contender in contenders if number % 2 else reversed(contenders):
            scores.turns[contender.name].append(contender.train(scores.steps))
        said = ", ".join(f"{name} {scores.speeds(name)[-1]:,.0f}" for name in scores.turns)
        print(f"round {number}/{rounds}, tokens/s: {said}", flush=True)


def table(scores: Scores, ours: Entrant, entrants: Sequence[Entrant]) -> Iterator[str]:
    """A row an entrant; ratios are those of the same round."""
    yield "| | tokens/s | share of the peak | Groundup is … times as fast | aim |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for entrant in entrants:
        speed = statistics.median(scores.speeds(entrant.name))
        share = scores.utilisation(entrant.name)
        ratio = "" if entrant == ours else _spread(scores.ratios(ours.name, entrant.name))
        aim = "" if entrant.aim is None else f"{entrant.aim:.2f}"
        yield f"| {entrant.label} | {speed:,.0f} | {share:.0%} | {ratio} | {aim} |"


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"
