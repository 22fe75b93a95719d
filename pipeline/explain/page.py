"""Explanations as HTML: one file that loads nothing, or a part of a page of somebody else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from pipeline.explain.explanation import Attribution, Explanation
from pipeline.explain.faithfulness import Curve
from pipeline.explain.sentences import completeness, doubtful_first, headline, what_was_said
from pipeline.explain.terminal import rows

_WIDTH, _HEIGHT = 240.0, 96.0
"""Of a drawing of curves, in its own units."""


def as_page(explanations: Sequence[Explanation]) -> str:
    """A whole page, light or dark as the reader's system is."""
    return _environment().get_template("page.html.j2").render(explanations=explanations, **_helpers())


def as_fragment(explanation: Explanation) -> str:
    """One explanation as a ``<section>`` with a style sheet of its own, for a page of somebody else's."""
    return _environment().get_template("fragment.html.j2").render(explanation=explanation, **_helpers())


@dataclass(frozen=True)
class Piece:
    """Some characters of a text, and how they look."""

    text: str
    share: float = 0.0
    """Of the greatest score, from -1 to 1."""
    score: float | None = None
    """None of what lies between words."""

    @property
    def percent(self) -> str:
        """How strong its colour is."""
        return f"{min(1.0, abs(self.share)):.0%}"


def pieces(one: Attribution, explanation: Explanation, name: str) -> list[Piece]:
    """One of the texts, cut where a word begins or ends."""
    text, end, found = explanation.texts[name], 0, []
    greatest = max(map(abs, one.words), default=0.0) or 1.0
    for word, score in zip(explanation.words, one.words, strict=True):
        if word.text == name:
            found += [
                Piece(text[end : word.start]),
                Piece(text[word.start : word.end], score / greatest, score),
            ]
            end = word.end
    return [piece for piece in (*found, Piece(text[end:])) if piece.text]


def points(curve: Curve, explanation: Explanation) -> str:
    """A curve as SVG has the points of a line."""
    low, high = _range(explanation)
    step = _WIDTH / (len(curve.values) - 1)
    return " ".join(
        f"{number * step:.1f},{_HEIGHT * (1 - (value - low) / (high - low)):.1f}"
        for number, value in enumerate(curve.values)
    )


def _range(explanation: Explanation) -> tuple[float, float]:
    """What is drawn from the bottom to the top: probabilities from 0 to 1, grades from the least to the greatest."""
    if explanation.unit == "probability":
        return 0.0, 1.0
    curves = [curve for one in explanation.attributions for curve in _curves(one)]
    found = [value for curve in (*curves, *explanation.chance.curves) for value in curve.values]
    return min(found), max(max(found), min(found) + 1e-9)


def _curves(one: Attribution) -> tuple[Curve, Curve]:
    return one.faithfulness.deletion, one.faithfulness.insertion


def _helpers() -> dict[str, Any]:
    return {
        "headline": headline,
        "doubtful_first": doubtful_first,
        "what_was_said": what_was_said,
        "completeness": completeness,
        "pieces": pieces,
        "points": points,
        "rows": rows,
        "width": _WIDTH,
        "height": _HEIGHT,
    }


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
