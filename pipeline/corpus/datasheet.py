"""The corpus' data sheet (after Gebru et al., 2021): what it holds, what was dropped and how it was split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.corpus.assemble import TRAIN, VALIDATION
from pipeline.corpus.duplicates import BOILERPLATE, EXACT, NEAR, PASSAGES, sketching
from pipeline.corpus.filters import FAMILIES
from pipeline.corpus.signatures import LINE_CHARACTERS
from pipeline.corpus.tally import Tally
from pipeline.recipe import Corpus

_BAR = 40
_SAMPLE = "  - `"
"""How the line of a dropped document begins, and no other."""
_MOST_LANGUAGES = 20


def datasheet(settings: Corpus, held_out: float, seed: int, tally: Tally) -> str:
    """Markdown from the stage's settings, counts and samples of dropped documents."""
    return "\n".join(
        [
            "# Data sheet of the corpus",
            "",
            f"{tally.read:,} documents were read and {sum(tally.documents.values()):,} kept: "
            f"{tally.documents[TRAIN]:,} to train on ({tally.characters[TRAIN]:,} characters) and "
            f"{tally.documents[VALIDATION]:,} held out ({tally.characters[VALIDATION]:,}).",
            *("", "## Sources", "", *_sources(settings, tally)),
            *("", "## Languages", "", *_histogram(dict(tally.languages.most_common(_MOST_LANGUAGES)))),
            *("", "## Lengths", "", "Documents by the power of two that their characters do not reach.", ""),
            *_histogram(tally.by_length),
            *("", "## Dropped", "", *_dropped(settings, tally)),
            *("", "## Cut out of documents", "", *_cut(settings, tally)),
            *("", "## Personal data and secrets", "", _masked(settings, tally)),
            *("", "## Split", "", _split(held_out, seed)),
            "",
        ]
    )


def _sources(settings: Corpus, tally: Tally) -> Iterator[str]:
    for source in settings.sources:
        yield f"- `{source}`: {tally.sources[source]:,} documents kept"
        for name, count in tally.licences.items():
            if name.startswith(f"{source}: "):
                yield f"  - licence {name.removeprefix(f'{source}: ')}: {count:,}"
    yield "\nLicences are those that the sources state; those of your own data are yours to know."


def _histogram(counts: Mapping[str, int]) -> Iterator[str]:
    yield from ("| | documents | |", "| --- | ---: | --- |")
    largest = max(counts.values(), default=1)
    for name, count in counts.items():
        yield f"| {name} | {count:,} | {'█' * -(-_BAR * count // largest)} |"


def _dropped(settings: Corpus, tally: Tally) -> Iterator[str]:
    near = sketching(settings) if settings.near_duplicates else None
    meanings = {
        **{f.__name__: (f.__doc__ or "").splitlines()[0] for family in FAMILIES.values() for f in family},
        "too_short": f"shorter than {settings.minimum_characters} characters",
        "other_language": f"in none of the languages {', '.join(settings.languages)}",
        EXACT: "the same as another document, but for case and white space",
        "contaminated": f"{settings.decontaminate} words in a row are in the held-out part of a task",
        "over_weight": "more than the weights leave of its source",
    }
    if near:
        meanings[NEAR] = (
            f"word 5-grams with an estimated Jaccard similarity of {near.threshold} or more to another document "
            f"(MinHash of {near.hashes} hashes in bands of {near.rows}; a pair of similarity "
            + ", ".join(
                f"{s:.1f} is found with a chance of {near.found(s):.3f}" for s in _around(near.threshold)
            )
            + ")"
        )
    if not tally.dropped:
        yield "Nothing."
    for name, count in tally.dropped.most_common():
        yield f"- {name}: {count:,}, {meanings[name]}"
        for sample in tally.samples.get(name, ()):
            yield f"{_SAMPLE}{' '.join(sample['text'].replace('`', ' ').split())}`"


def without_samples(sheet: str) -> str:
    """A data sheet that quotes no document."""
    return "\n".join(line for line in sheet.split("\n") if not line.startswith(_SAMPLE))


def _around(threshold: float) -> list[float]:
    return [s for s in (threshold - 0.1, threshold, threshold + 0.1) if 0 < s <= 1]


def _cut(settings: Corpus, tally: Tally) -> Iterator[str]:
    yield (
        f"- {tally.cut[BOILERPLATE]:,} lines of {LINE_CHARACTERS} characters or more that more than "
        f"{settings.boilerplate} documents hold"
        if settings.boilerplate
        else "- boilerplate was not looked for"
    )
    yield (
        f"- {tally.cut[PASSAGES]:,} lines of {settings.repeated_passages} characters or more that another "
        "document holds"
        if settings.repeated_passages
        else "- repeated passages were not looked for"
    )


def _masked(settings: Corpus, tally: Tally) -> str:
    if not settings.mask_personal_data:
        return "Not searched for."
    found = ", ".join(f"{count:,} {kind}" for kind, count in tally.masked.most_common())
    return f"Replaced by placeholders: {found or 'nothing'}."


def _split(held_out: float, seed: int) -> str:
    return (
        f"A group (a text, a country, a module) is held out when the hash of its name and the seed {seed} falls "
        f"below {held_out}; tasks use the same rule on the same groups."
    )
