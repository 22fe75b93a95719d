"""Tokens find their characters again, whole ones, and join to words."""

from __future__ import annotations

import pytest

from pipeline.evaluate.scripts import word_spans
from pipeline.explain.words import words_of
from pipeline.model.reading import Place, Reading, decoded
from pipeline.recipe import Tokenizer
from pipeline.tokenizer.train import train_tokenizer

TEXTS = ["the film was fine", "the well-made story wasn't dull"] * 5


@pytest.mark.parametrize("algorithm", ["bpe", "unigram"])
def test_tokens_of_part_of_a_character_stand_for_the_whole_of_it(algorithm: str) -> None:
    tokenizer = train_tokenizer(TEXTS, Tokenizer(algorithm=algorithm, vocabulary=300), 300, 64)  # type: ignore[arg-type]
    text = "the film 好 était ☕\ufffd<|end|>fine"
    ids = tokenizer(text)["input_ids"]
    told, spans = decoded(ids, tokenizer)
    assert told == text and len(spans) == len(ids)
    tokens_of_cup = [span for span in spans if text[slice(*span)].strip() == "☕"]
    assert len(tokens_of_cup) > 1 and set(tokens_of_cup) == {tokens_of_cup[0]}
    assert any(text[slice(*span)] == "<|end|>" for span in spans)
    covered = {place for span in spans for place in range(*span)}
    assert covered == set(range(len(text)))


def test_the_words_of_a_reading() -> None:
    text = "It wasn't 好看 \n\nfine. "
    pieces = ["It", " was", "n", "'t", " 好", "看", " \n\n", "fi", "ne", ".", " "]
    places: list[Place | None] = [None]
    for piece in pieces:
        start = places[-1].end if places[-1] else 0
        places.append(Place("text", start, start + len(piece)))
    reading = Reading({"input_ids": [0] * len(places)}, places, {"text": text}, len(places), 0)
    found = words_of(reading)
    assert [text[w.start : w.end] for w in found] == ["It", "wasn't", "好", "看", "fine", ".", " "]
    assert [w.tokens for w in found] == [(1,), (2, 3, 4), (5,), (6,), (7, 8, 9), (10,), (11,)]


def test_a_token_that_reaches_into_the_next_word_is_shown_once() -> None:
    text = "one two three"
    places = [Place("text", 0, 5), Place("text", 5, 7), Place("text", 7, 13)]
    found = words_of(Reading({"input_ids": [0] * 3}, places, {"text": text}, 3, 0))
    assert [text[w.start : w.end] for w in found] == ["one t", "wo", "three"]


def test_words_as_a_reader_marks_them() -> None:
    text = "A well-made, हिन्दी 好电 👩\u200d👧 l’été"
    assert [text[a:b] for a, b in word_spans(text)] == [
        "A", "well-made", ",", "हिन्दी", "好", "电", "👩\u200d👧", "l’été",
    ]  # fmt: skip


def test_what_is_left_of_a_reading() -> None:
    features = {"input_ids": [5, 6, 7, 8], "token_type_ids": [0, 0, 1, 1]}
    places = [Place("prompt", n, n + 1) for n in range(3)]
    reading = Reading(features, [*places, None], {"prompt": "abc"}, written_from=3, nothing=1)
    assert reading.part([0, 2, 3]) == (
        {"input_ids": [5, 7, 8], "token_type_ids": [0, 1, 1]},
        {0: 0, 2: 1, 3: 2},
    )
    assert reading.part([3]) == ({"input_ids": [1, 8], "token_type_ids": [0, 1]}, {3: 1})
