"""The whole stage: clean documents in two parts that share nothing, the same whatever happens on the way."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from pipeline.artifacts import Artifact
from pipeline.corpus import layout
from pipeline.corpus.build import Builder, shares
from pipeline.errors import GroundupError
from pipeline.recipe import Corpus, Executor
from tests.command_line import ROOT
from tests.corpus.made_text import Planted, plant, without_spaces

WORDS = [f"word{n}" for n in range(500)]
ONE = Executor(workers=1)


@dataclass(frozen=True)
class Made:
    """A corpus that was made."""

    out: Path
    metrics: Mapping[str, Mapping[str, Any]]

    def rows(self, part: str) -> list[dict[str, str]]:
        return pyarrow.parquet.read_table(self.out / part).to_pylist()

    @property
    def files(self) -> dict[str, str]:
        """Checksums of all shards."""
        found = sorted(self.out.glob("*/0*.parquet"))
        return {str(f.relative_to(self.out)): hashlib.sha256(f.read_bytes()).hexdigest() for f in found}


def make(
    out: Path, *sources: Path, contaminants: Iterable[str] = (), executor: Executor = ONE, **settings: Any
) -> Made:
    corpus = Corpus(
        sources=tuple(map(str, sources)),
        **{"minimum_characters": 10, "mask_personal_data": False, **settings},
    )
    builder = Builder(corpus, held_out=0.2, seed=0, executor=executor, out=Artifact(out))
    return Made(out, builder.build(lambda: contaminants))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many chunks and shards from little text."""
    monkeypatch.setattr(layout, "CHUNK_CHARACTERS", 30_000)
    monkeypatch.setattr("pipeline.corpus.intake.CHUNK_CHARACTERS", 30_000)
    monkeypatch.setattr(layout, "SHARD_CHARACTERS", 90_000)
    monkeypatch.setattr(layout, "MIXED_CHUNKS", 7)
    monkeypatch.setattr(layout, "_BUCKET_CHUNKS", 4)


def test_one_long_file_is_split_into_two_parts(tmp_path: Path) -> None:
    paragraphs = [" ".join(WORDS[n : n + 100] + [str(n)] * 50) for n in range(40)]
    (tmp_path / "text.txt").write_text("\n\n".join(paragraphs), "utf-8")
    made = make(tmp_path / "corpus", tmp_path / "text.txt", boilerplate=0, repeated_passages=0)
    train, validation = made.rows("train"), made.rows("validation")
    assert train and validation and made.metrics["documents"]["train"] == len(train)
    assert not {row["text"] for row in train} & {row["text"] for row in validation}
    assert train[0]["source"].endswith("text.txt") and train[0]["place"].endswith("text.txt line 1")
    assert "documents were read" in (made.out / "datasheet.md").read_text()


def test_too_little_text_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("short", "utf-8")
    with pytest.raises(GroundupError, match=r"text\.txt: 0 documents .* left of 1 \(dropped: too_short 1\)"):
        make(tmp_path / "corpus", tmp_path / "text.txt")
    assert not (tmp_path / "corpus" / "train").exists()


def _names(made: Made, planted: Planted, part: str) -> set[str]:
    return {planted.order[int(row["place"].rsplit(" ", 1)[1]) - 1] for row in made.rows(part)}


@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize("script", ["words", "no spaces"])
def test_planted_duplicates_and_contamination_are_found_and_nothing_else(
    tmp_path: Path, small_chunks: None, seed: int, script: str
) -> None:
    planted = plant(seed, 200) if script == "words" else without_spaces(plant(seed, 200))
    source = planted.write(tmp_path / "made.jsonl")
    made = make(tmp_path / "corpus", source, contaminants=planted.held_out)
    trained = _names(made, planted, "train")
    kept = trained | _names(made, planted, "validation")
    for original in set(planted.near.values()):
        family = {original} | {n for n, o in (planted.exact | planted.near).items() if o == original}
        assert len(family & kept) == 1, family
    assert not planted.contaminated & trained
    assert {name for name in planted.documents if name.startswith(("plain", "far"))} - kept <= set(
        planted.near.values()
    )


def test_no_near_duplicate_of_a_held_out_document_is_trained_on(tmp_path: Path, small_chunks: None) -> None:
    """Counted by another tool."""
    datasketch = pytest.importorskip("datasketch")
    made = make(tmp_path / "corpus", plant(13, 200).write(tmp_path / "made.jsonl"))
    index = datasketch.MinHashLSH(threshold=0.8, num_perm=128)
    for number, row in enumerate(made.rows("train")):
        index.insert(number, _sketch(datasketch, row["text"]))
    held_out = made.rows("validation")
    assert len(held_out) > 20
    assert not [row["text"] for row in held_out if index.query(_sketch(datasketch, row["text"]))]


def _sketch(datasketch: Any, text: str) -> Any:
    words = text.lower().split()
    sketch = datasketch.MinHash(num_perm=128)
    sketch.update_batch([" ".join(words[i : i + 5]).encode() for i in range(len(words) - 4)])
    return sketch


def test_lines_of_many_documents_and_long_lines_of_another_are_cut_out(tmp_path: Path) -> None:
    chance = random.Random(0)
    header = "Printed from the archive of the society for words, all rights reserved."
    passage = " ".join(chance.choices(WORDS, k=60))
    short = "return None"
    texts = [f"{header}\n{' '.join(chance.choices(WORDS, k=120))}\n{short}" for _ in range(40)]
    texts[3] += f"\n{passage}"
    texts[7] += f"\n{passage}"
    files = [tmp_path / "texts" / f"{n:02}.txt" for n in range(len(texts))]
    files[0].parent.mkdir()
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, "utf-8")
    made = make(tmp_path / "corpus", files[0].parent)
    kept = [row["text"] for part in ("train", "validation") for row in made.rows(part)]
    assert len(kept) == 40 and not any(header in text for text in kept)
    assert sum(passage in text for text in kept) == 1
    assert all(short in text for text in kept)
    assert made.metrics["lines cut"] == {"boilerplate": 40, "repeated_passages": 1}


def test_lines_of_a_dropped_copy_do_not_count(tmp_path: Path, small_chunks: None) -> None:
    chance = random.Random(0)
    texts = ["\n".join(" ".join(chance.choices(WORDS, k=20)) for _ in range(8)) for _ in range(30)]
    (tmp_path / "texts").mkdir()
    for number, text in enumerate(texts + [texts[0]] * 30):
        (tmp_path / "texts" / f"{number}.txt").write_text(text, "utf-8")
    made = make(tmp_path / "corpus", tmp_path / "texts", repeated_passages=0)
    kept = {row["text"] for part in ("train", "validation") for row in made.rows(part)}
    assert kept == set(texts) and made.metrics["documents"]["exact_duplicates"] == 30


def test_what_is_dropped_is_counted_by_filter_and_shown(tmp_path: Path) -> None:
    sentence = "The old harbour of the town was quiet, and nobody had to wait for the boats that came at {}."
    english = [" ".join(sentence.format(f"{n} past {m}") for m in range(6)) for n in range(30)]
    german = " ".join(
        f"Der alte Hafen der kleinen Stadt war still, und niemand wartete auf Boot {n}." for n in range(6)
    )
    hashes = " ".join(f"The #harbour{n} of the town and the #boats{n} have to be with us." for n in range(8))
    rows = [{"text": text, "license": "CC0"} for text in (*english, german, hashes, "short")]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    made = make(
        tmp_path / "corpus",
        tmp_path / "a.jsonl",
        languages=("en",),
        filters=("gopher-quality",),
        boilerplate=0,
        near_duplicates=0.0,
    )
    documents = made.metrics["documents"]
    assert documents["kept"] == 30 and documents["read"] == 33
    assert [documents[why] for why in ("other_language", "gopher_hash_signs", "too_short")] == [1, 1, 1]
    assert made.metrics["languages"] == {"en": 30}
    assert {(row["licence"], row["language"]) for row in made.rows("train")} == {("CC0", "en")}
    samples = json.loads((made.out / "dropped.json").read_text("utf-8"))
    assert samples["other_language"][0]["text"].startswith("Der alte Hafen")
    assert samples["gopher_hash_signs"][0]["place"].endswith("a.jsonl line 32")
    sheet = (made.out / "datasheet.md").read_text("utf-8")
    assert (
        "gopher_hash_signs: 1, More than 0.1 hash signs for each word" in sheet and "licence CC0: 30" in sheet
    )


def test_a_source_of_which_nothing_is_left_cannot_be_weighed(tmp_path: Path) -> None:
    source = plant(1, 60).write(tmp_path / "made.jsonl")
    (tmp_path / "short.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(GroundupError, match=r"short\.jsonl: nothing is left of it"):
        make(tmp_path / "corpus", source, tmp_path / "short.jsonl", weights=(1.0, 1.0))


def test_sources_are_mixed_by_weight(tmp_path: Path, small_chunks: None) -> None:
    files = [plant(seed, 300).write(tmp_path / f"{seed}.jsonl") for seed in (1, 2)]
    made = make(tmp_path / "corpus", *files, weights=(3.0, 1.0))
    sizes = Counter[str]()
    for part in ("train", "validation"):
        for row in made.rows(part):
            sizes[row["source"]] += len(row["text"])
    assert sizes[str(files[0])] / sizes[str(files[1])] == pytest.approx(3, rel=0.15)
    assert made.metrics["documents"]["over_weight"] > 100
    first = made.rows("train")[: len(made.rows("train")) // 3]
    assert 0.5 < sum(row["source"] == str(files[0]) for row in first) / len(first) < 0.95, "not mixed"


def test_the_scarcest_source_is_used_whole() -> None:
    assert shares({"a": 100.0, "b": 100.0}, (3.0, 1.0)) == {"a": 1.0, "b": pytest.approx(1 / 3)}
    assert shares({"a": 100.0, "b": 100.0}, ()) == {"a": 1.0, "b": 1.0}


def test_megabytes_bound_what_is_read(tmp_path: Path) -> None:
    files = [plant(seed, 300).write(tmp_path / f"{seed}.jsonl") for seed in (1, 2)]
    made = make(tmp_path / "corpus", *files, megabytes=0.1, weights=(4.0, 1.0))
    total = sum(made.metrics["characters"].values())
    assert 85_000 < total < 110_000


def test_shards_are_the_same_with_one_worker_and_with_two(tmp_path: Path) -> None:
    source = plant(3, 60).write(tmp_path / "made.jsonl")
    made = [make(tmp_path / f"{n}", source, executor=Executor(workers=n)) for n in (1, 2)]
    assert made[0].files and made[0].files == made[1].files


_PROGRAM = """
import sys
from pathlib import Path
from pipeline.corpus import intake, layout
layout.CHUNK_CHARACTERS = intake.CHUNK_CHARACTERS = 20_000
layout.SHARD_CHARACTERS = 60_000
from tests.corpus.test_corpus import make
make(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_killed_stage_goes_on_to_the_same_shards(tmp_path: Path) -> None:
    source = plant(5, 400).write(tmp_path / "made.jsonl")

    def begin(out: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _PROGRAM, str(out), str(source)]
        return subprocess.Popen(command, cwd=ROOT, start_new_session=True)

    assert begin(tmp_path / "whole").wait() == 0
    killed = 0
    marks = tmp_path / "cut" / "checkpoints" / "marks"
    for step in ("intake", "refine", "duplicates", "assemble"):
        process = begin(tmp_path / "cut")
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if list((marks / step / "completions").glob("*")):
                os.killpg(process.pid, signal.SIGKILL)
                break
            time.sleep(0.002)
        killed += process.wait() == -signal.SIGKILL
    assert killed >= 2
    done = {mark: mark.stat().st_mtime_ns for mark in marks.glob("*/completions/*")}
    assert begin(tmp_path / "cut").wait() == 0
    assert done and all(mark.stat().st_mtime_ns == time for mark, time in done.items()), "done again"
    whole, cut = (Made(tmp_path / name, {}).files for name in ("whole", "cut"))
    assert len(whole) > 4 and whole == cut
