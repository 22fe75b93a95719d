"""Published heuristics for web text, as named filters in four families, and in which order they judge a page.

A filter takes a page and says whether it drops it. It names the rule and the threshold of its paper:

- Rae et al., 2021: Scaling Language Models: Methods, Analysis & Insights from Training Gopher. arXiv 2112.11446.
- Raffel et al., 2020: Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer. JMLR 21.
- Penedo et al., 2024: The FineWeb Datasets. arXiv 2406.17557.

Raffel et al. also drop pages with a word of a public list of bad words; that list is not shipped here.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pipeline.corpus.pages import TERMINAL, Page
from pipeline.corpus.repetition import GOPHER_REPETITION, Filter
from pipeline.evaluate.scripts import words
from pipeline.recipe import FilterFamily

_STOP_WORDS = frozenset(["the", "be", "to", "of", "and", "that", "have", "with"])
_LETTERS_AND_BLANKS = (string.ascii_letters + " \n").encode()
_USUAL = (" the ", " of ", " and ", " to ")
_BULLETS = ("•", "-", "*", "‣", "◦", "●", "▪", "·", "・")
_ELLIPSES = ("...", "…")
_PHRASES = (
    "javascript",
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)
_HINTS = ("javascript", "terms of use", "privacy policy", "cookie")
"""A text with none of these holds none of the phrases."""
_QUOTES = frozenset("\"'”’“‘»«」』")
_LINE_ENDS = TERMINAL | _QUOTES
_LONGEST_WORD = 1000
_EMPTY_LINES = re.compile(r"\n{3,}")
_CITATION = re.compile(r" *\[(?:\d+|edit|citation needed)\]")
SENTENCE = re.compile(
    f"[{re.escape(''.join(sorted(TERMINAL)))}]+[{''.join(sorted(_QUOTES))})\\]]*(?:\\s|$)|[。！？]"
)


def gopher_word_count(page: Page) -> bool:
    """Fewer than 50 or more than 100,000 words. Rae et al., 2021, section A.1.1."""
    return not 50 <= page.word_count <= 100_000


def gopher_mean_word_length(page: Page) -> bool:
    """Words have fewer than 3 or more than 10 characters on average. Rae et al., 2021, section A.1.1.

    It says nothing where words are characters.
    """
    return not page.is_spaceless and not 3 <= len("".join(page.words)) / max(1, len(page.words)) <= 10


def gopher_hash_signs(page: Page) -> bool:
    """More than 0.1 hash signs for each word. Rae et al., 2021, section A.1.1."""
    return page.text.count("#") > 0.1 * page.word_count


def gopher_ellipses(page: Page) -> bool:
    """More than 0.1 ellipses for each word. Rae et al., 2021, section A.1.1."""
    return sum(map(page.text.count, _ELLIPSES)) > 0.1 * page.word_count


def gopher_bullet_lines(page: Page) -> bool:
    """More than 90 % of the lines start with a bullet point. Rae et al., 2021, section A.1.1."""
    return sum(line.lstrip().startswith(_BULLETS) for line in page.lines) > 0.9 * len(page.lines)


def gopher_ellipsis_lines(page: Page) -> bool:
    """More than 30 % of the lines end with an ellipsis. Rae et al., 2021, section A.1.1."""
    return sum(line.rstrip().endswith(_ELLIPSES) for line in page.lines) > 0.3 * len(page.lines)


def gopher_alphabetic_words(page: Page) -> bool:
    """Fewer than 80 % of the words hold a letter. Rae et al., 2021, section A.1.1."""
    number, least = len(page.words), 0.8 * len(page.words)
    others = page.text.encode("utf-8", "replace").translate(None, _LETTERS_AND_BLANKS)
    if number - len(others) >= least:  # each word without a letter holds one of the others
        return False
    if sum(map(str.islower, page.words)) >= least:
        return False
    return sum(map(_holds_a_letter, page.words)) < least


def _holds_a_letter(word: str) -> bool:
    """A vowel sign alone, as where words are characters, is one too."""
    return word.islower() or any(map(str.isalpha, word)) or unicodedata.category(word[0]).startswith("M")


def gopher_stop_words(page: Page) -> bool:
    """Fewer than two of the words the, be, to, of, and, that, have, with. Rae et al., 2021, section A.1.1.

    It judges English pages only.
    """
    if page.language != "en" or sum(map(page.text.__contains__, _USUAL)) >= 2:
        return False
    return len(_STOP_WORDS.intersection(page.lowered.split())) < 2


def c4_lorem_ipsum(page: Page) -> bool:
    """The phrase "lorem ipsum" occurs. Raffel et al., 2020, section 2.2."""
    return "lorem ipsum" in page.lowered


def c4_curly_bracket(page: Page) -> bool:
    """A curly bracket "{" occurs, as in code. Raffel et al., 2020, section 2.2."""
    return "{" in page.text


def c4_too_few_sentences(page: Page) -> bool:
    """Fewer than 3 sentences are left. Raffel et al., 2020, section 2.2.

    Sentences are told by their marks alone, so "Mr." ends one; each line holds at least one.
    """
    if not page.has_sentence_marks or page.text.count(". ") >= 3:
        return False
    return sum(max(1, len(SENTENCE.findall(line))) for line in page.lines) < 3


def fineweb_line_punctuation(page: Page) -> bool:
    """At most 12 % of the lines end with a mark that ends sentences. Penedo et al., 2024, section 3.6."""
    if not page.has_sentence_marks:
        return False
    return sum(line.rstrip()[-1] in TERMINAL for line in page.lines) <= 0.12 * len(page.lines)


def fineweb_short_lines(page: Page) -> bool:
    """At least 67 % of the lines have fewer than 30 characters. Penedo et al., 2024, section 3.6.

    Fewer than 15 where words are characters.
    """
    least = 30 // page.units
    return sum(len(line) < least for line in page.lines) >= 0.67 * len(page.lines)


def fineweb_duplicate_characters(page: Page) -> bool:
    """Lines that came before hold at least 10 % of the characters. Penedo et al., 2024, section 3.6."""
    characters = page.repeated_lines[1]
    return characters > 0 and characters >= 0.1 * (len(page.text) - page.text.count("\n"))


def fineweb_newlines(page: Page) -> bool:
    """More than 0.3 line ends for each word. In the code of Penedo et al., 2024, not in the paper."""
    return page.text.count("\n") > 0.3 * page.word_count


FAMILIES: Mapping[FilterFamily, tuple[Filter, ...]] = {
    "gopher-repetition": GOPHER_REPETITION,
    "gopher-quality": (
        gopher_word_count,
        gopher_mean_word_length,
        gopher_hash_signs,
        gopher_ellipses,
        gopher_bullet_lines,
        gopher_ellipsis_lines,
        gopher_alphabetic_words,
        gopher_stop_words,
    ),
    "c4": (c4_lorem_ipsum, c4_curly_bracket, c4_too_few_sentences),
    "fineweb": (
        fineweb_line_punctuation,
        fineweb_short_lines,
        fineweb_duplicate_characters,
        fineweb_newlines,
    ),
}
"""Filters by family; both families and filters in the order in which they judge, that of FineWeb's own pipeline."""


@dataclass(frozen=True)
class Verdict:
    """The text as it goes on, and the name of the first filter that drops it, empty when none does."""

    text: str
    dropped_by: str


def judge(page: Page, families: Collection[FilterFamily]) -> Verdict:
    """What the families say of a page, in the order of ``FAMILIES`` whatever theirs.

    Before the filters of c4 its rules for lines are applied (``without_bad_lines``): they and those after them
    see what is left, and that is the text of the verdict.
    """
    for family, filters in FAMILIES.items():
        if family not in families:
            continue
        if family == "c4":
            page = without_bad_lines(page)
        for drops in filters:
            if drops(page):
                return Verdict(page.text, drops.__name__)
    return Verdict(page.text, "")


def first_failure(page: Page, families: Collection[FilterFamily]) -> str:
    """Name of the first filter that drops the page, empty when it is kept."""
    return judge(page, families).dropped_by


def without_bad_lines(page: Page) -> Page:
    """The page without the lines that C4 takes out (Raffel et al., 2020, section 2.2).

    Those are lines that end in no full stop, question mark, exclamation mark or quotation mark, or end in an
    ellipsis; have fewer than 5 words, or a word of more than 1000 characters (the latter in the paper's code); name
    JavaScript; or name a policy on cookies, privacy or use. Wikipedia's marks of citations, as [1], are cut out
    of the lines. Empty lines stay, as do lines without a final mark in Thai and Lao, which have none.
    """
    text = _CITATION.sub("", page.text) if "[" in page.text else page.text
    lines = text.split("\n")
    kept = [line for line in lines if not line or _is_sentence(line, page)]
    if page.longest_word > _LONGEST_WORD:
        kept = [line for line in kept if max(map(len, line.split()), default=0) <= _LONGEST_WORD]
    if any(map(page.lowered.__contains__, _HINTS)):
        kept = [line for line in kept if not any(map(line.lower().__contains__, _PHRASES))]
    if len(kept) == len(lines) and text == page.text:
        return page
    return Page(_EMPTY_LINES.sub("\n\n", "\n".join(kept)).strip(), page.language)


def _is_sentence(line: str, page: Page) -> bool:
    """Whether a line has five words and ends as sentences do."""
    line = line.rstrip()
    if page.has_sentence_marks and (line[-1:] not in _LINE_ENDS or line.endswith(_ELLIPSES)):
        return False
    if page.is_spaceless:
        return len(words(line)) >= 5 * page.units
    return len(line.split(None, 4)) == 5
