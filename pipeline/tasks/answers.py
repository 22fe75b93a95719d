"""Reference answers in the forms in which data sets have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import GroundupError, refuse_surrogates, shown
from pipeline.sources import Row
from pipeline.sources.columns import column, is_empty


def answers_of(row: Row, name: str = "answers", flag: str = "data") -> list[tuple[str, int | None]]:
    """Texts of a row's answers, and where they start if it says so; none where the question has no answer.

    SQuAD's own form, that of its Hub data set, a text, a list of texts, or TriviaQA's value and aliases.

    Raises:
        GroundupError: for any other form, and for half a surrogate pair.
    """
    if row.values.get("is_impossible") or row.values.get(name) in ([], {}):
        return []
    given = column(row, name, flag)
    if isinstance(given, Mapping):
        given = _of_mapping(given)
    if isinstance(given, str | int | float):
        given = [str(given)]
    if isinstance(given, list):
        given = [{"text": a} if isinstance(a, str) else a for a in given]
    if not isinstance(given, list) or not all(
        isinstance(a, Mapping) and isinstance(a.get("text"), str) for a in given
    ):
        raise GroundupError(
            row.place, f"'{name}' is not in SQuAD's form", 'write [{"text": …, "answer_start": …}]'
        )
    for answer in given:
        refuse_surrogates(answer["text"], row.place)
    return [(answer["text"], _start(answer.get("answer_start"), row.place)) for answer in given]


def _of_mapping(given: Mapping[str, Any]) -> Any:
    """As a list of texts or of answers; what has none of the forms stays as it is."""
    if isinstance(given.get("value"), str):
        others = given.get("aliases") or []
        texts = [given["value"], *(others if isinstance(others, list) else [others])]
        return list(dict.fromkeys(texts)) if all(isinstance(text, str) for text in texts) else given
    texts = given.get("text", [])
    texts = texts if isinstance(texts, list) else [texts]
    starts = given.get("answer_start")
    starts = starts if isinstance(starts, list) else [starts] * len(texts)
    return [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=False)]


def _start(value: Any, place: str) -> int | None:
    """Where an answer starts, which tables hold as 12.0 too; None where it is not said."""
    if is_empty(value):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise GroundupError(
            place,
            f"the answer_start '{shown(value)}' is no whole number",
            "count the characters before the answer, or leave answer_start out",
        )
    return value


def placed(text: str, start: int | None, context: str, place: str) -> tuple[str, int]:
    """An answer and where it stands; a wrong start is moved to where the answer stands next to it.

    Raises:
        GroundupError: when it stands nowhere, or starts outside of the context.
    """
    if start is not None and not 0 <= start < max(len(context), 1):
        raise GroundupError(
            place,
            f"the answer_start {shown(start)} is outside of the context, which has {len(context)} characters",
            "count the characters before the answer, or leave answer_start out",
        )
    if start is not None and text and context[start : start + len(text)] == text:
        return text, start
    places = [i for i in range(len(context)) if context.startswith(text, i)] if text else []
    if not places:
        raise GroundupError(
            place,
            f"the answer '{text[:60]}' does not stand in its context",
            "copy the answer from the context as it is there, or delete the question",
        )
    return text, min(places, key=lambda i: abs(i - (start or 0)))
