"""Bad rows: at the first one reading ends, or so many are told of and passed over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pipeline.errors import GroundupError
from pipeline.sources.base import Row, sound


def tolerated(
    rows: Iterable[Row], most: int, use: Callable[[Row], Any], tell: Callable[[GroundupError], None]
) -> Iterator[Row]:
    """Rows that can be used.

    Args:
        rows: with those that could not be read.
        most: bad rows that are passed over.
        use: what is done with a row later; it raises for one that is no use.
        tell: hears of every row that is passed over.

    Raises:
        GroundupError: at the first bad row beyond them.
    """
    if not most:
        yield from sound(rows)
        return
    passed = 0
    for row in rows:
        try:
            use(next(sound([row])))
        except GroundupError as refusal:
            passed += 1
            if passed > most:
                raise
            tell(refusal)
            continue
        yield row


def passed_over(whose: str, number: int, most: int, refusal: GroundupError) -> str:
    """The line about a row that is passed over."""
    return f"{whose}: passed over, {number} of at most {most}: {refusal}"
