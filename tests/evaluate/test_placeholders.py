"""Whatever a model writes, a message keeps the placeholders of its source, and formats take it."""

from __future__ import annotations

import string
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.evaluate.placeholders import are_kept, hide, mended, nests, placeholders, put_back, restored

PLACEHOLDERS = [
    *("%s", "%d", "%1$s", "%ld", "%.2f", "%05d", "%(name)s", "%(count)d", "%%", "%1", "%2"),
    *("{}", "{0}", "{name}", "{:>3}", "{{ user.name }}", "{% url 'home' %}", "${path}", "$HOME"),
    "{count, plural, one {# file} other {# files in {place}}}",
    *("<b>", "</b>", '<a href="x?a=1&b=2" title="x">', "</a>", "<br/>", "&amp;", "&#160;"),
    *("https://example.com/%7Ea?q={x}", "http://localhost:8000"),
]
known = st.lists(st.sampled_from(PLACEHOLDERS), max_size=6)
words = st.text(string.ascii_letters + " é北.,%{}<>&$:/()#1\n", max_size=12)
pieces = st.one_of(words, st.sampled_from(PLACEHOLDERS), st.integers(0, 9).map(lambda n: f"{{{n}}}"))
written = st.lists(pieces, max_size=12).map("".join)


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_each_is_one(placeholder: str) -> None:
    assert placeholders(placeholder) == placeholders(f"see {placeholder}, it is") == [placeholder]


@pytest.mark.parametrize(
    "text", ["100 % sure", "a 5% discount", "5 < 6 > 4", "it costs $5 & more", "50%-ige"]
)
def test_what_is_none(text: str) -> None:
    assert placeholders(text) == []


@given(known, st.lists(words, min_size=7, max_size=7))
def test_what_is_hidden_is_put_back(known: list[str], between: list[str]) -> None:
    text = "".join(f"{word} {placeholder} " for word, placeholder in zip(between, known, strict=False))
    found = placeholders(text)
    assert put_back(hide(text, found), found) == text


@given(known, written)
@example(["%s"], "%<b>s")
@example([], "http<b>s://x</b>")
def test_mended_has_the_known_ones_and_no_others(known: list[str], written: str) -> None:
    assert Counter(placeholders(mended(written, known))) == Counter(known)
    assert mended(mended(written, known), known) == mended(written, known)


@given(st.one_of(written, known.map(" word ".join)), written)
@example("<b>%s</b> of %d", "{4}{2}{3} {1}")
@example("%d of %s", "{2}x{1}")
def test_restored_has_those_of_its_source_whatever_was_written(source: str, written: str) -> None:
    text = restored(written, source)
    assert are_kept(source, text)
    if nests(source):
        assert nests(text)
    by_order = ("%s", "%d", "%ld", "%.2f", "%05d")
    assert [p for p in placeholders(text) if p in by_order] == [
        p for p in placeholders(source) if p in by_order
    ]


@given(known, written)
def test_a_good_translation_is_left_alone(known: list[str], written: str) -> None:
    source = " word ".join(known)
    good = " mot ".join(hide(p, known) for p in known)
    assert restored(good, source) == " mot ".join(known)


@given(st.lists(st.sampled_from(["%s", "%(name)s", "%%"]), min_size=1, max_size=1), written)
def test_python_can_format_it(known: list[str], written: str) -> None:
    values = {"%s": ("x",), "%(name)s": {"name": "x"}, "%%": ()}[known[0]]
    assert "%s" not in restored(written, known[0]) % values


def test_tags_go_where_the_source_has_them() -> None:
    assert restored("Bonjour le monde", "<b>Hello</b> world") == "<b>Bonjour le</b> monde"
    assert restored("le {2}monde{1} ici", "the <i>world</i> here") == "le <i>monde</i> ici"
    assert restored("{1}Ouvrir{2} {3}", "<b>Open</b> %s") == "<b>Ouvrir</b> %s"
    assert not nests("<b><i></b></i>") and nests("<p>a<br>b<img src='x'/></p>")


def test_nothing_that_a_format_would_stumble_over() -> None:
    assert restored("50 % de {1}", "half of %d") == "50  de %d"
    assert restored("} {1} {", "{0}") == " {0} "
    assert restored("50 % de tout", "50 % of all") == "50 % de tout"
