"""What a script has measured, written between two marks of a page."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts import write_text

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
CORPUS = ROOT / "docs" / "corpus.md"
DATA_SOURCES = ROOT / "docs" / "data-sources.md"
LINEAGE = ROOT / "docs" / "lineage.md"
PERFORMANCE = ROOT / "docs" / "performance.md"
TOKENIZER = ROOT / "docs" / "tokenizer.md"
TRAINING = ROOT / "docs" / "training.md"


def write_between(page: Path, mark: str, text: str) -> None:
    """Replace what stands between ``<!-- MARK -->`` and ``<!-- /MARK -->``.

    Raises:
        ValueError: when the page lacks the marks.
    """
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, opened, rest = page.read_text("utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise ValueError(f"{page} has no marks {begin} and {end}")
    write_text(page, f"{before}{begin}\n{text.strip()}\n{end}{after}")
