"""Reference answers in the forms in which data sets have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import GroundupError, refuse_surrogates
from pipeline.sources import Row
from pipeline.sources.columns import column


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
    return [(answer["text"], answer.get("answer_start")) for answer in given]


def _of_mapping(given: Mapping[str, Any]) -> Any:
    if isinstance(given.get("value"), str):
        return list(dict.fromkeys([given["value"], *given.get("aliases", [])]))
    texts = given.get("text", [])
    texts = [texts] if isinstance(texts, str) else texts
    starts = given.get("answer_start")
    starts = starts if isinstance(starts, list) else [starts] * len(texts)
    return [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=False)]


def placed(text: str, start: int | None, context: str, place: str) -> tuple[str, int]:
    """An answer and where it stands; a wrong start is moved to where the answer stands next to it.

    Raises:
        GroundupError: when it stands nowhere.
    """
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
