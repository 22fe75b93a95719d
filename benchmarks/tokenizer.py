"""Write the table of encoding speed in docs/tokenizer.md: Groundup's step beside the library alone.

.venv/bin/python benchmarks/tokenizer.py runs/quickstart 128

Takes a finished run's corpus, repeated until it is as many megabytes as asked for, in files of the size that the
corpus stage writes, and the run's tokenizer. "alone" is ``encode_batch_fast`` with all cores on texts that are in
memory already, its results dropped. "Groundup" is the whole step: starting processes, reading Parquet, encoding,
writing shards. They take turns, because other work on the machine slows now one and now the other.
"""

from __future__ import annotations

import itertools
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import psutil
import pyarrow
import pyarrow.parquet

from pipeline.artifacts import write_text
from pipeline.provenance import describe_hardware, hardware
from pipeline.recipe import Executor
from pipeline.tokenizer.encode import encode_corpus, load_encoder
from pipeline.tokenizer.shards import corpus_files, open_shards, read_texts

PAGE = Path(__file__).parent.parent / "docs" / "tokenizer.md"
BEGIN, END = "<!-- speed -->", "<!-- /speed -->"
ROUNDS = 3
FILE_BYTES = 32_000_000
BATCH = 64


@dataclass
class Peak:
    """The most memory that processes below this one held, watched from a thread."""

    one: int = 0
    """Bytes, of the largest."""
    together: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self.stopped.wait(0.1):
            sizes = [_resident(child) for child in psutil.Process().children(recursive=True)]
            self.one, self.together = max(self.one, *sizes, 0), max(self.together, sum(sizes))


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


@contextmanager
def watched() -> Iterator[Peak]:
    """Watch the memory of all processes that are started inside."""
    peak = Peak()
    thread = threading.Thread(target=peak.watch)
    thread.start()
    try:
        yield peak
    finally:
        peak.stopped.set()
        thread.join()


def write_corpus(source: Path, corpus: Path, size: int) -> list[str]:
    """Repeat the texts of a corpus part until they are ``size`` bytes, and write them as the corpus stage does."""
    once = [text for file in corpus_files(source) for texts in read_texts(file) for text in texts]
    texts: list[str] = []
    file: list[str] = []
    written = held = number = 0
    (corpus / "train").mkdir(parents=True)
    for text in itertools.cycle(once):
        file.append(text)
        held += len(text.encode())
        if held >= FILE_BYTES or written + held >= size:
            pyarrow.parquet.write_table(
                pyarrow.table({"text": file}), corpus / "train" / f"{number:05}.parquet", compression="zstd"
            )
            texts, written, number, held, file = texts + file, written + held, number + 1, 0, []
        if written >= size:
            return texts
    raise SystemExit(f"{source}: there is no text")


def alone(tokenizer: Path, texts: list[str]) -> float:
    """Seconds of the library with all cores."""
    encoder = load_encoder(tokenizer)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    began = time.monotonic()
    for start in range(0, len(texts), BATCH):
        encoder.encode_batch_fast(texts[start : start + BATCH], add_special_tokens=False)
    return time.monotonic() - began


def groundup(tokenizer: Path, corpus: Path, out: Path) -> tuple[float, Peak]:
    """Seconds and memory of the whole step, on all cores."""
    entries = load_encoder(tokenizer).get_vocab_size()
    with watched() as peak:
        began = time.monotonic()
        encode_corpus(corpus, tokenizer, 0, entries, out / "shards", out / "checkpoints", Executor())
        return time.monotonic() - began, peak


def main(run: Path, megabytes: int) -> None:
    """Measure, print the table and write it between the two marks of the page."""
    tokenizer = run / "tokenizer" / "tokenizer.json"
    with tempfile.TemporaryDirectory() as place:
        corpus = Path(place) / "corpus"
        texts = write_corpus(run / "corpus" / "train", corpus, megabytes * 1_000_000)
        size = sum(len(text.encode()) for text in texts) / 1e6
        rounds = []
        for number in range(ROUNDS):
            library = alone(tokenizer, texts)
            ours, peak = groundup(tokenizer, corpus, Path(place) / str(number))
            rounds.append((size / library, size / ours, peak))
            print(f"alone {size / library:.2f} MB/s, Groundup {size / ours:.2f} MB/s", flush=True)
        less = Path(place) / "less"
        (less / "train").mkdir(parents=True)
        for file in corpus_files(corpus / "train")[:2]:
            (less / "train" / file.name).symlink_to(file)
        _, small = groundup(tokenizer, less, Path(place) / "small")
        tokens = sum(map(len, open_shards(Path(place) / "0" / "shards" / "train")))
    table = _table(rounds, size, tokens, len(texts), small)
    print(table)
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    write_text(PAGE, f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")


def _table(
    rounds: list[tuple[float, float, Peak]], size: float, tokens: int, documents: int, small: Peak
) -> str:
    shares = [ours / library for library, ours, _ in rounds]
    one, together = (max(getattr(peak, name) for _, _, peak in rounds) / 1e6 for name in ("one", "together"))
    return "\n".join(
        [
            f"{size:.0f} MB in {documents:,} documents (a smaller corpus, repeated), {tokens:,} tokens, on "
            f"{describe_hardware(hardware())}, tokenizers {version('tokenizers')}:",
            "",
            "| round | the library alone, MB/s | Groundup, MB/s | share |",
            "|---|---:|---:|---:|",
            *(
                f"| {number} | {library:.2f} | {ours:.2f} | {ours / library:.0%} |"
                for number, (library, ours, _) in enumerate(rounds, start=1)
            ),
            f"| median | {statistics.median(r[0] for r in rounds):.2f} "
            f"| {statistics.median(r[1] for r in rounds):.2f} | {statistics.median(shares):.0%} |",
            "",
            f"Most memory of one process of the step: {one:.0f} MB; of all together: {together:.0f} MB. "
            f"With the first two files alone: {small.one / 1e6:.0f} MB and {small.together / 1e6:.0f} MB.",
        ]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 128)
