"""How much texts repeat themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipeline.evaluate.scripts import words
from pipeline.evaluate.statistics import Statistics, ratios

_LOOP = 4
_TIMES = 3


def repetition(texts: Sequence[str]) -> Statistics:
    """``looping``, the share of texts with four words in a row three times or more; ``distinct_2``.

    The latter is the number of different pairs of neighbouring words by that of all pairs (Li et al., 2016), each text
    by itself, so that it does not fall with their number.
    """
    pairs = [_grams(text, 2) for text in texts]
    return ratios(
        looping=(
            [float(max(_grams(text, _LOOP).values(), default=0) >= _TIMES) for text in texts],
            [1.0] * len(texts),
        ),
        distinct_2=([float(len(found)) for found in pairs], [float(found.total()) for found in pairs]),
    )


def _grams(text: str, length: int) -> Counter[tuple[str, ...]]:
    said = words(text)
    return Counter(zip(*(said[start:] for start in range(length)), strict=False))
