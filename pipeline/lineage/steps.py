"""What each step bought: a rung beside the last one before it that has the same score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.lineage.results import PRETRAIN, Climbed, Lineage
from pipeline.report.compare import compared


@dataclass(frozen=True)
class Step:
    """From one rung to another, by one score."""

    rung: str
    since: str
    """The rung before."""
    column: str
    gain: float
    """How much better it is, whichever direction is better; in the unit of the score."""
    low: float | None = None
    high: float | None = None
    """What holds the gain with 95 %, on the same bootstrap samples of the held-out examples; None of one text."""
    p: float | None = None

    @property
    def may_be_chance(self) -> bool:
        """Whether the held-out examples do not tell the two apart."""
        return self.low is not None and self.high is not None and self.low <= 0 <= self.high


def steps(lineage: Lineage) -> list[Step]:
    """Every step by every score, in the order of rungs and columns."""
    return [step for place in range(len(lineage.rungs)) for step in _to(lineage, place)]


def _to(lineage: Lineage, place: int) -> Iterator[Step]:
    after = lineage.rungs[place]
    for column in lineage.metrics:
        before = next(
            (rung for rung in reversed(lineage.rungs[:place]) if rung.scores[column].value is not None), None
        )
        if before is not None and after.scores[column].value is not None:
            yield _step(lineage, before, after, column)


def _step(lineage: Lineage, before: Climbed, after: Climbed, column: str) -> Step:
    metric = lineage.metrics[column]
    sign = -1.0 if metric.lower_is_better else 1.0
    if column == PRETRAIN:
        was, became = before.scores[column].value, after.scores[column].value
        assert was is not None and became is not None  # whoever calls has looked
        return Step(after.name, before.name, column, sign * (became - was))
    one, other = (rung.run.artifact(rung.run.stage_of(column)) for rung in (before, after))
    found = compared(column, one, other, metric.name)
    low, high = sorted((sign * found.low, sign * found.high))
    gain = sign * (found.scores[1] - found.scores[0])
    return Step(after.name, before.name, column, gain, low, high, found.p)
