"""Cleaning repairs and removes what no reader would miss, and cutting loses nothing."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.corpus.cleaning import clean, pieces

WORDS = [f"word{n}" for n in range(500)]


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("one<br /><br />two", "one\n\ntwo"),
        ("<p>one</p><b>two</b>", "one\ntwo"),
        ("a < b and c > d", "a < b and c > d"),
        ("List<String> x;", "List<String> x;"),
        ("fish &amp; chips&#x21;", "fish & chips!"),
        ("AT&T ?a=1&copy=2", "AT&T ?a=1&copy=2"),
        ("cafÃ© dÃ©jÃ  vu", "café déjà vu"),
        ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚ Ð¼Ð¸Ñ€", "привет мир"),
        ("РїСЂРёРІРµС‚ РјРёСЂ", "привет мир"),
        ("donâ€™t", "don’t"),
        ("„Spaß“ «é» РОССИЯ", "„Spaß“ «é» РОССИЯ"),
        ("It\x92s", "It’s"),
        ("one\r\n\r\n\r\n\r\ntwo  \n", "one\n\ntwo"),
        ("one\rtwo\x0cthree\u2028four", "one\ntwo\nthree\nfour"),
        ("    indented\n      more", "indented\n      more"),
        ("if x:\n\treturn\t1", "if x:\n\treturn\t1"),
        ("e\u0301", "é"),
        ("e\u200b\u0301", "é"),
        ("x² ﬁn", "x² ﬁn"),
        ("l’été\u00a0: 5\u202f%", "l’été : 5 %"),
        ("日本\u3000語", "日本\u3000語"),
    ],
)
def test_cleaning(raw: str, wanted: str) -> None:
    assert clean(raw) == wanted


INVISIBLE = (
    *("\x00", "\x1b", "\x7f", "\xad", "\u200b", "\u2060", "\ufeff", "\u200e", "\u202e", "\u2069", "\ud800"),
    *("\ue000", "\uffff", "\ufdd0", "\U000e0041", "\U000f0000", "\U00100000", "\u200c", "\u200d"),
)


@pytest.mark.parametrize("invisible", INVISIBLE, ids=ascii)
def test_invisible_characters_go(invisible: str) -> None:
    assert clean(f"zero{invisible}width") == clean(f"zero{invisible}width é")[:-2] == "zerowidth"


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم",
        "क्\u200dष",
        "👩\u200d💻",
        "❤\ufe0f\u200d🔥",
        "🏴\U000e0067\U000e0062\U000e0065\U000e007f",
    ],
    ids=["Persian", "Hindi", "emoji", "emoji with selector", "flag"],
)
def test_joiners_stay_where_writing_needs_them(text: str) -> None:
    assert clean(f"a {text} b") == f"a {text} b"


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters()))
def test_what_comes_out_is_writable_composed_and_has_no_control_characters(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not [c for c in cleaned if unicodedata.category(c) in {"Cc", "Co", "Cs"} and c not in "\n\t"]
    assert "\n\n\n" not in cleaned and " \n" not in cleaned


def test_pieces_lose_nothing_and_are_short() -> None:
    text = ". ".join(" ".join(WORDS[n : n + 20]) for n in range(0, 480, 20))
    parts = list(pieces(text, most=300))
    assert all(0 < len(part) <= 300 for part in parts) and " ".join(parts).split() == text.split()
    assert [len(p) for p in pieces("x" * 650, most=300)] == [300, 300, 50]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("one. two\nthree\n\nfour five six seven", "one. two\nthree"),
        ("one. two and\nthree four five six seven", "one. two and"),
        ("one two three. four five six seven eight", "one two three."),
        ("一二三四五六七八九。" * 4, "一二三四五六七八九。" * 2),
        ("one two three four five six seven eight", "one two three four five"),
    ],
)
def test_pieces_are_cut_at_the_largest_break(text: str, first: str) -> None:
    assert next(pieces(text, most=24)) == first


def test_cutting_a_long_text_takes_time_in_proportion() -> None:
    started = time.process_time()
    assert sum(1 for _ in pieces("word " * 2_000_000, most=1000)) >= 10_000
    assert time.process_time() - started < 1.0  # 10 MB; copies of the rest at each cut took 10 s
