"""What the corpus stage found of what was planted, judged from outside, and how fast sketches are beside others'."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow.parquet

from benchmarks.corpus_text import Planted, write_english
from pipeline.corpus.signatures import Sketching
from pipeline.evaluate.scripts import words

_SHINGLE = 5
_ALIKE = 0.8


def _rows(corpus: Path, part: str) -> dict[int, str]:
    """Texts of a part by the number of the row they were."""
    table = pyarrow.parquet.read_table(corpus / part, columns=["place", "text"]).to_pydict()
    numbers = (int(place.rsplit(" ", 1)[1]) for place in table["place"])
    return dict(zip(numbers, table["text"], strict=True))


def _grams(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return set(zip(*(islice(found, start, None) for start in range(_SHINGLE)), strict=False))


def _similarity(left: str, right: str) -> float:
    a, b = _grams(left), _grams(right)
    return len(a & b) / len(a | b)


def found_of_planted(corpus: Path, source: Path, planted: Planted) -> list[str]:
    """Recall and precision of each kind, as a Markdown table."""
    with source.open(encoding="utf-8") as lines:
        texts = {number: json.loads(line)["text"] for number, line in enumerate(lines, start=1)}
    train, held_out = _rows(corpus, "train"), _rows(corpus, "validation")
    kept = set(train) | set(held_out)
    gone = set(texts) - kept
    near = [(a, b) for a, b in planted.near if _similarity(texts[a], texts[b]) >= _ALIKE]
    pairs = [*planted.exact, *planted.near]
    either = {row for pair in pairs for row in pair}
    duplicates = gone - set(planted.contaminated)
    masked = [
        value not in (train.get(row) or held_out.get(row, ""))
        for row, values in planted.secrets.items()
        for value in values
    ]
    trained_on = set(planted.contaminated) & set(train)
    lost = gone - either
    return [
        f"Found of what was planted in {sum(map(len, texts.values())) / 1e6:,.0f} MB ({len(texts):,} documents):",
        "",
        "| planted | number | recall | precision |",
        "| --- | ---: | ---: | ---: |",
        _row("exact copies", planted.exact, _apart(planted.exact, kept), duplicates, either),
        _row(f"changed copies (similarity {_ALIKE} or more)", near, _apart(near, kept), duplicates, either),
        f"| 13 words of a held-out text | {len(planted.contaminated):,} "
        f"| {1 - len(trained_on) / len(planted.contaminated):.4f} "
        f"| {1 - len(lost - set(planted.contaminated)) / max(1, len(lost)):.4f} |",
        f"| personal data and secrets | {len(masked):,} | {sum(masked) / len(masked):.4f} | see below |",
    ]


def _apart(pairs: list[tuple[int, int]], kept: set[int]) -> int:
    """Pairs of which not both are kept."""
    return sum(not {*pair} <= kept for pair in pairs)


def _row(name: str, pairs: list[tuple[int, int]], found: int, gone: set[int], planted: set[int]) -> str:
    precision = len(gone & planted) / max(1, len(gone))
    return f"| {name} | {len(pairs):,} | {found / max(1, len(pairs)):.4f} | {precision:.4f} |"


def across_the_split(corpus: Path) -> list[str]:
    """Held-out documents that are near one to train on, counted by datasketch."""
    from datasketch import MinHash, MinHashLSH

    def sketch(text: str) -> MinHash:
        minhash = MinHash(num_perm=128)
        minhash.update_batch([" ".join(gram).encode() for gram in _grams(text)])
        return minhash

    index = MinHashLSH(threshold=_ALIKE, num_perm=128)
    held_out = _rows(corpus, "validation")
    for number, text in held_out.items():
        index.insert(number, sketch(text))
    train = _rows(corpus, "train")
    pairs = [
        (number, other)
        for number, text in train.items()
        for other in index.query(sketch(text))
        if _similarity(text, held_out[other]) >= _ALIKE
    ]
    return [
        "",
        f"Of {len(held_out):,} held-out documents, {len({other for _, other in pairs})} have a near duplicate "
        f"(similarity {_ALIKE} or more) among the {len(train):,} to train on, by datasketch's MinHash and the true "
        "similarity of its candidates.",
    ]


def sketch_speeds(megabytes: float = 5.0) -> Iterator[str]:
    """MB/s of MinHash sketches of word 5-grams, on one core, alternately three times."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.jsonl"
        write_english(file, megabytes, 7)
        texts = [json.loads(line)["text"] for line in file.read_text("utf-8").splitlines()]
    size = sum(len(text.encode()) for text in texts) / 1e6
    makers = {"Groundup (rensa)": _groundup, "datatrove": _datatrove, "datasketch": _datasketch}
    best = dict.fromkeys(makers, 0.0)
    for _ in range(3):
        for name, make in makers.items():
            started = time.perf_counter()
            make(texts)
            best[name] = max(best[name], size / (time.perf_counter() - started))
    yield "| sketches of word 5-grams, one core | hashes | MB/s |"
    yield "| --- | ---: | ---: |"
    hashes = {"Groundup (rensa)": Sketching(0.7, 0.02).hashes, "datatrove": 112, "datasketch": 128}
    for name, speed in best.items():
        yield f"| {name} | {hashes[name]} | {speed:.1f} |"


def _groundup(texts: list[str]) -> None:
    kind = Sketching(0.7, 0.02)
    kind.bands(kind.sketches(texts))


def _datatrove(texts: list[str]) -> None:
    """Its signatures with its defaults, but with words split at white space: its own splitters are slower."""
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
    from datatrove.utils.hashing import HashConfig
    from datatrove.utils.word_tokenizers import WordTokenizer

    class AtSpaces(WordTokenizer):
        def word_tokenize(self, text: str) -> list[str]:
            return text.split()

        def sent_tokenize(self, text: str) -> list[str]:
            return [text]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            return [(0, len(text))]

    with tempfile.TemporaryDirectory() as folder:
        config = MinhashConfig(hash_config=HashConfig(hash_fc="sha1"))  # its xxhash wants an older library
        step = MinhashDedupSignature(folder, config, language=AtSpaces())
        for text in texts:
            step.get_signature(step.get_shingles(text))


def _datasketch(texts: list[str]) -> None:
    from datasketch import MinHash

    for text in texts:
        MinHash(num_perm=128).update_batch([" ".join(gram).encode() for gram in _grams(text)])
