"""The corpus' data sheet (after Gebru et al., 2021): what it holds, what was dropped and how it was split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.recipe import Corpus

_FILTERS = {
    "too_short": "shorter than {least} characters",
    "exact_duplicates": "the same as an earlier document, but for case and white space",
    "near_duplicates": "word 5-grams with a Jaccard similarity of {near} or more to an earlier document "
    "(MinHash, 128 hashes)",
}


def datasheet(
    settings: Corpus,
    held_out: float,
    seed: int,
    metrics: Mapping[str, Mapping[str, Any]],
    samples: Mapping[str, Sequence[str]],
) -> str:
    """Markdown from the stage's settings, counts and samples of dropped documents."""
    documents, characters = metrics["documents"], metrics["characters"]
    lines = [
        "# Data sheet of the corpus",
        "",
        f"{documents['read']:,} documents were read and {documents['kept']:,} kept: {documents['train']:,} to "
        f"train on ({characters['train']:,} characters) and {documents['validation']:,} held out "
        f"({characters['validation']:,}).",
        "",
        "## Sources",
        "",
        *(f"- `{source}`: {count:,} documents kept" for source, count in metrics["sources"].items()),
        "",
        "Licences: docs/data-sources.md of Groundup for its own sources; those of your own data are yours to know.",
        "",
        "## Dropped",
        "",
    ]
    for name, meaning in _FILTERS.items():
        what = meaning.format(least=settings.minimum_characters, near=settings.near_duplicates)
        lines.append(f"- {name}: {documents[name]:,}, {what}")
        lines += [f"  - `{' '.join(sample.replace('`', ' ').split())}`" for sample in samples.get(name, ())]
    masked = metrics["masked"]
    lines += [
        "",
        "## Personal data",
        "",
        "Replaced by placeholders: "
        + (", ".join(f"{n:,} {kind}" for kind, n in masked.items()) or "nothing")
        + "."
        if settings.mask_personal_data
        else "Not searched for.",
        "",
        "## Split",
        "",
        f"A group (a text, a country, a module) is held out when the hash of its name and the seed {seed} falls below "
        f"{held_out}; tasks use the same rule on the same groups.",
        "",
    ]
    return "\n".join(lines)
