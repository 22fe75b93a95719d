"""Token shards: the same bytes whoever makes them, whole after any interruption, documents apart."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from pipeline.artifacts import Artifact
from pipeline.errors import GroundupError
from pipeline.recipe import Corpus, Executor, Model, Recipe, Tokenizer
from pipeline.tokenizer.build import build_tokenizer
from pipeline.tokenizer.encode import encode_corpus, load_encoder
from pipeline.tokenizer.sample import Sample
from pipeline.tokenizer.shards import corpus_files, ends_of, open_shards, token_type
from pipeline.tokenizer.train import train_tokenizer
from tests.command_line import ROOT

FILES = 6


def _write(file: Path, texts: list[str], source: str = "here") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table({"text": texts, "source": [source] * len(texts)}), file)


def _texts(file: int, documents: int = 40) -> list[str]:
    return [
        f"Film {n} of the year {1900 + file}: a story, and é 中 too. " * (n % 7 + 1) for n in range(documents)
    ]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files with documents in both parts, an empty one among them, and their tokenizer beside."""
    directory = tmp_path_factory.mktemp("corpus")
    for number in range(FILES):
        _write(directory / "train" / f"{number:05}.parquet", _texts(number))
    _write(directory / "train" / "99999.parquet", [])
    _write(directory / "validation" / "00000.parquet", _texts(77))
    train_tokenizer(_texts(0), Tokenizer(), 400, 64).save_pretrained(directory / "tokenizer")
    return directory


def _encode(corpus: Path, out: Path, workers: int) -> dict[str, bytes]:
    tokenizer = corpus / "tokenizer" / "tokenizer.json"
    encode_corpus(corpus, tokenizer, 0, 400, out / "shards", out / "checkpoints", Executor(workers=workers))
    return {str(f.relative_to(out)): f.read_bytes() for f in sorted((out / "shards").rglob("*.npy"))}


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The shards as one worker makes them."""
    return _encode(corpus, tmp_path_factory.mktemp("whole"), workers=1)


def test_two_workers_make_the_same_bytes(corpus: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    assert len(whole) == 2 * (FILES + 2) and _encode(corpus, tmp_path, workers=2) == whole


def test_documents_are_apart(corpus: Path, tmp_path: Path) -> None:
    _encode(corpus, tmp_path, workers=1)
    encoder = load_encoder(corpus / "tokenizer" / "tokenizer.json")
    first, *_, empty = open_shards(tmp_path / "shards" / "train")
    starts = [0, *first.ends.tolist()]
    documents = [first[start:end] for start, end in itertools.pairwise(starts)]
    assert [encoder.decode(ids[:-1].tolist()) for ids in documents] == _texts(0)
    assert all(ids[-1] == 0 and 0 not in ids[:-1] for ids in documents) and starts[-1] == len(first)
    assert first[:].dtype == np.uint16 and isinstance(first[:], np.memmap)
    assert len(empty) == 0 and empty.ends.tolist() == []


@pytest.mark.parametrize(
    ("entries", "kind"), [(256, np.uint8), (400, np.uint16), (65_536, np.uint16), (65_537, np.uint32)]
)
def test_the_smallest_integers_that_fit(entries: int, kind: type) -> None:
    assert token_type(entries) == kind


_SLOW = """
import sys, time
from pathlib import Path
from pipeline.recipe import Executor
from pipeline.tokenizer import encode
slow = encode.encode_texts
encode.encode_texts = lambda *arguments: (time.sleep(0.3), slow(*arguments))[1]
corpus, out = Path(sys.argv[1]), Path(sys.argv[2])
encode.encode_corpus(corpus, corpus / "tokenizer" / "tokenizer.json", 0, 400, out / "shards", out / "checkpoints",
                     Executor(workers=1))
"""


def test_killed_in_the_middle_it_does_the_rest_and_no_more(
    corpus: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    process = subprocess.Popen([sys.executable, "-c", _SLOW, corpus, tmp_path], cwd=ROOT)
    done = tmp_path / "checkpoints" / "encode" / "completions"
    while process.poll() is None and not (done.is_dir() and len(list(done.iterdir())) >= 2):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL, "it ended before it could be killed"
    finished = [tmp_path / "shards" / "train" / f"{mark.name}.npy" for mark in done.iterdir()]
    before = {file: file.stat().st_ino for file in (*finished, *map(ends_of, finished))}
    assert 4 <= len(before) < len(whole)
    assert _encode(corpus, tmp_path, workers=1) == whole
    assert {file: file.stat().st_ino for file in before} == before


def _recipe(**model: object) -> Recipe:
    return Recipe(
        corpus=Corpus(sources=("x",)),
        tokenizer=Tokenizer(vocabulary=400, training_megabytes=0.01),
        model=Model(depth=2, width=64, context=64, **model),  # type: ignore[arg-type]
    )


def test_a_stage_that_was_cut_off_keeps_its_tokenizer(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Artifact(tmp_path / "tokenizer")
    monkeypatch.setattr("pipeline.tokenizer.build.encode_corpus", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build_tokenizer(_recipe(), corpus, out)
    monkeypatch.undo()
    monkeypatch.setattr("pipeline.tokenizer.build.train_tokenizer", lambda *_: 1 / 0)
    row = build_tokenizer(_recipe(), corpus, out)["model"]
    assert 10_000 <= row["sample_characters"] < 11_000 and row["train_tokens"] > 0


def test_a_published_tokenizer_is_taken(corpus: Path, whole_run: Path, tmp_path: Path) -> None:
    start = str(whole_run / "tiny" / "pretrain")
    row = build_tokenizer(_recipe(start=start), corpus, Artifact(tmp_path))["model"]
    tokenizer = Path(start, "tokenizer.json").read_bytes()
    assert (tmp_path / "tokenizer.json").read_bytes() == tokenizer and "sample_characters" not in row
    (tmp_path / "tokenizer_config.json").unlink()
    with pytest.raises(GroundupError, match="nowhere"):
        build_tokenizer(_recipe(start=str(tmp_path / "nowhere")), corpus, Artifact(tmp_path / "b"))


def test_a_sample_takes_as_much_of_every_file(corpus: Path, tmp_path: Path) -> None:
    _write(tmp_path / "0.parquet", ["a" * 10] * 100, "long")
    _write(tmp_path / "1.parquet", ["b" * 10] * 5, "short")
    _write(tmp_path / "2.parquet", [f"{n:010}" for n in range(200)], "long")
    sample = Sample(corpus_files(tmp_path), 900)
    texts = list(sample.texts())
    assert [sum(text.startswith(c) for text in texts) for c in "ab0"] == [43, 5, 43]
    assert (sample.documents, sample.taken) == (91, 910)
    assert texts == list(sample.texts()) and int(texts[-1]) > 190  # spread over the whole file
    assert len(list(Sample(corpus_files(tmp_path), 1e9))) == 305
