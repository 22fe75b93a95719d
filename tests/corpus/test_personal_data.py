"""Personal data and secrets are found by class on labelled text, and nothing that only looks like them."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.personal_data import Scores, measure
from benchmarks.personal_data_samples import VARIETIES, samples
from pipeline.corpus.personal_data import find, mask

KINDS = sorted({variety.kind for variety in VARIETIES})
ITEMS = [sample.text[item.start : item.end] for sample in samples(3, 1) for item in sample.planted]


@pytest.fixture(scope="module")
def scores() -> Scores:
    return measure(samples(10_000, 60))


@pytest.mark.parametrize("kind", KINDS)
def test_recall_and_precision_of_every_class(scores: Scores, kind: str) -> None:
    score = scores.kinds[kind]
    assert score.recall >= 0.98, score.missed[:10]
    assert score.precision >= 0.95, {name: n for (of, name), n in scores.wrong.items() if of == kind}


@pytest.mark.parametrize("variety", VARIETIES, ids=lambda variety: variety.name)
def test_no_variety_is_left_out(scores: Scores, variety: object) -> None:
    score = scores.varieties[variety.kind, variety.name]  # type: ignore[attr-defined]
    assert score.recall >= 0.85, score.missed


def test_the_measure_notices_a_search_that_finds_nothing_or_too_much() -> None:
    texts = samples(3, 2)
    nothing = measure(texts, lambda text: [])
    assert all(score.recall == 0 for score in nothing.kinds.values())
    labels = [sample.planted for sample in texts]
    wrong = measure(texts, lambda text: [type(labels[0][0])(0, len(text), "email")])
    assert wrong.kinds["email"].recall == 1 and wrong.kinds["email"].precision < 0.1
    assert wrong.kinds["phone"].recall == 0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("write to ann.lee+x@mail.example.org now", "write to [EMAIL] now"),
        ("邮箱ann@example.com，请写信", "邮箱[EMAIL]，请写信"),
        ("from 8.8.8.8 to 127.0.0.1, not 9.9.9.9.", "from [IP] to 127.0.0.1, not [IP]."),
        ("at 2a00:1450:4001:81b::200e, not ::1", "at [IP], not ::1"),
        ("card 4111 1111 1111 1111.", "card [CARD]."),
        ("Amex 3782-822463-10005 12/29", "Amex [CARD] 12/29"),
        ("call +44 20 7946 0958 or (555) 123-4567", "call [PHONE] or [PHONE]"),
        ("01 53 80 63 60, 030/1234567, 0755-2345 6789", "[PHONE], [PHONE], [PHONE]"),
        ("手机１３８１２３４５６７８。", "手机[PHONE]。"),
        ("+33\u00a01\u00a053\u00a080\u00a063\u00a060", "[PHONE]"),
        ("GB82 WEST 1234 5698 7654 32 IS MY ACCOUNT", "[IBAN] IS MY ACCOUNT"),
        ("BE31 4354 1116 1155 THIS", "[IBAN] THIS"),
        ("SSN 536-90-4399, NINO AB 12 34 56 C", "SSN [NATIONAL_ID], NINO [NATIONAL_ID]"),
        ("2 95 10 99 126 111 93 et 12345678Z", "[NATIONAL_ID] et [NATIONAL_ID]"),
        ("身份证号110101199003070011，", "身份证号[NATIONAL_ID]，"),
        ("IdNr 36 574 261 809, CF RCCMNL83S18D969H", "IdNr [NATIONAL_ID], CF [NATIONAL_ID]"),
        ("aadhaar 234123412346, CPF 390.533.447-05", "aadhaar [NATIONAL_ID], CPF [NATIONAL_ID]"),
        ("https://bob:s3cr3t@host.com/x", "https://[PASSWORD]@host.com/x"),
        ('password = "hunter2"', 'password = "[PASSWORD]"'),
        ("token: ghp_" + "a1B2" * 9, "token: [API_KEY]"),
    ],
)
def test_examples_of_the_standards_and_manuals(text: str, wanted: str) -> None:
    assert mask(text, Counter()) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3.4.5",
        "number 4111 1111 1111 1112 stays",
        "in 1999-2003 for 100 200 people",
        "https://user:password@example.com/",
        "-----BEGIN RSA PRIVATE KEY----- is how it begins",
        "def password(self) -> str: return self.passwords[12]",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert mask(text, Counter()) == text


def test_finds_are_counted_by_kind() -> None:
    counts: Counter[str] = Counter()
    mask("a@example.com, b@example.com, 8.8.8.8", counts)
    assert counts == {"email": 2, "ip": 1}


ADVERSARIAL = {
    "letters": "a" * 100_000,
    "ranges": "1-" * 50_000,
    "at signs": "@" * 10_000,
    "addresses in a row": "a@b.co" * 10_000,
    "dots": "a." * 50_000 + "@",
    "digits": "1" * 100_000,
    "spaced digits": "4 " * 50_000,
    "phones in a row": "555-123-4567 " * 5_000,
    "octets": "8.8.8." * 20_000,
    "colons": "a:" * 50_000,
    "capitals": "AB12 " * 10_000,
    "keys": "-----BEGIN PRIVATE KEY-----\n" * 4_000,
    "token": "sk-" * 30_000,
    "assignments": "password=" * 10_000 + "1",
    "web tokens": "eyJhbGciOi." * 10_000,
    "users": "http://a:" * 10_000,
    "parentheses": "(0" * 40_000,
    "blanks": "tel 1" + " " * 100_000 + "2",
}


@pytest.mark.parametrize("text", ADVERSARIAL.values(), ids=ADVERSARIAL.keys())
def test_time_does_not_explode(text: str) -> None:
    started = time.process_time()
    mask(text, Counter())
    assert time.process_time() - started < 4  # seconds; what is quadratic takes minutes


@given(
    st.lists(st.one_of(st.sampled_from(ITEMS), st.text(alphabet="a1@. -+:=0[]X中\n", max_size=6)), max_size=8)
)
def test_masking_twice_is_masking_once(parts: list[str]) -> None:
    once = mask("".join(parts), Counter())
    again: Counter[str] = Counter()
    assert mask(once, again) == once and not again


@given(st.text())
def test_text_without_finds_is_unchanged(text: str) -> None:
    counts: Counter[str] = Counter()
    masked = mask(text, counts)
    assert (masked == text) == (not counts) == (not find(text))
