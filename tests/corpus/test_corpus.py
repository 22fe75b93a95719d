"""Clean, deduplicated, masked documents in two parts that share nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet
import pytest

from pipeline.artifacts import Artifact
from pipeline.corpus.build import build_corpus
from pipeline.corpus.duplicates import Exact, Near, bands
from pipeline.corpus.personal_data import mask
from pipeline.errors import GroundupError
from pipeline.recipe import Corpus

WORDS = [f"word{n}" for n in range(500)]


def test_exact_duplicates_are_those_a_reader_takes_for_the_same() -> None:
    seen = Exact()
    assert [seen.is_new(t) for t in ("A film.", "a  film.\n", "A film!")] == [True, False, True]


def test_near_duplicates_are_found_and_others_left() -> None:
    long = WORDS[:200]
    changed = [*long[:100], "other", *long[101:]]
    other = [*long[:60], *WORDS[300:440]]
    texts = [" ".join(words) for words in (long, changed, other)]
    assert Near(0.7).are_new(texts) == [True, False, True]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.9])
def test_candidates_are_hardly_ever_missed_at_the_threshold(threshold: float) -> None:
    number = bands(threshold)
    assert 1 - (1 - threshold ** (128 / number)) ** number >= 0.99


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("write to ann.lee+x@mail.example.org now", "write to [EMAIL] now"),
        ("from 8.8.8.8 to 127.0.0.1, not 9.9.9.9.", "from [IP] to 127.0.0.1, not [IP]."),
        ("version 1.2.3.4.5", "version 1.2.3.4.5"),
        ("card 4111 1111 1111 1111.", "card [CARD]."),
        ("number 4111 1111 1111 1112 stays", "number 4111 1111 1111 1112 stays"),
        ("call +44 20 7946 0958 or (555) 123-4567", "call [PHONE] or [PHONE]"),
        ("in 1999-2003 for 100 200 people", "in 1999-2003 for 100 200 people"),
    ],
)
def test_personal_data(text: str, wanted: str) -> None:
    assert mask(text, Counter()) == wanted


def _corpus(
    tmp_path: Path, text: str, **settings: object
) -> tuple[dict[str, list[str]], dict[str, dict[str, float]]]:
    (tmp_path / "text.txt").write_text(text, "utf-8")
    out = Artifact(tmp_path / "corpus")
    recipe = Corpus(sources=(str(tmp_path / "text.txt"),), minimum_characters=10, **settings)  # type: ignore[arg-type]
    metrics = build_corpus(recipe, held_out=0.2, seed=0, out=out)
    texts = {
        part: pyarrow.parquet.read_table(out.path / part).column("text").to_pylist()
        for part in ("train", "validation")
    }
    return texts, dict(metrics)  # type: ignore[arg-type]


def test_one_long_file_is_split_into_two_parts(tmp_path: Path) -> None:
    paragraphs = [" ".join(WORDS[n : n + 100] + [str(n)] * 50) for n in range(40)]
    texts, metrics = _corpus(tmp_path, "\n\n".join(paragraphs))
    assert texts["train"] and texts["validation"]
    assert metrics["documents"]["train"] == len(texts["train"])
    assert not set(texts["train"]) & set(texts["validation"])
    sheet = (tmp_path / "corpus" / "datasheet.md").read_text()
    assert "documents were read" in sheet and "Personal data" in sheet


def test_too_little_text_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(GroundupError, match=r"text\.txt: 0 documents .* left of 1 \(dropped: too_short 1\)"):
        _corpus(tmp_path, "short")
    assert not (tmp_path / "corpus" / "train").exists()
