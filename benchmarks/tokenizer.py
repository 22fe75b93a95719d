"""Write the table of encoding speed in docs/tokenizer.md: Groundup's step beside the library alone.

.venv/bin/python -m benchmarks.tokenizer runs/quickstart 128

Takes a finished run's corpus, repeated until it is as many megabytes as asked for, in files of the size that the
corpus stage writes, and the run's tokenizer. "alone" is ``encode_batch_fast`` with all cores on texts that are in
memory already, its results dropped. "Groundup" is the whole step: starting processes, reading Parquet, encoding,
writing shards. They take turns, because other work on the machine slows now one and now the other; the seconds of
processors that each took are counted beside those of the clock.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import psutil
import pyarrow
import pyarrow.parquet

from benchmarks.pages import TOKENIZER, write_between
from pipeline.provenance import describe_hardware, hardware
from pipeline.recipe import Executor
from pipeline.tokenizer.encode import encode_corpus, load_encoder
from pipeline.tokenizer.shards import corpus_files, open_shards, read_texts

ROUNDS = 3
FILE_BYTES = 32_000_000
BATCH = 64


@dataclass
class Effort:
    """What some work took, watched from a thread: time, and the memory of the processes that it started."""

    seconds: float = 0.0
    """Of the clock."""
    processor: float = 0.0
    """Seconds of processors, of this process and those below it: other work on the machine hardly changes them."""
    one: int = 0
    """Bytes that the largest process below held at most."""
    together: int = 0
    """Bytes that all below held at most."""
    stopped: threading.Event = field(default_factory=threading.Event)
    below: dict[int, float] = field(default_factory=dict)

    def watch(self) -> None:
        while not self.stopped.wait(0.05):
            held = [0]
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    held.append(child.memory_info().rss)
                    self.below[child.pid] = sum(child.cpu_times()[:2])
            self.one, self.together = max(self.one, *held), max(self.together, sum(held))


@contextlib.contextmanager
def watched() -> Iterator[Effort]:
    """Measure what is done inside; processes from before are left out of the time."""
    effort, before = (
        Effort(),
        {c.pid: sum(c.cpu_times()[:2]) for c in psutil.Process().children(recursive=True)},
    )
    thread = threading.Thread(target=effort.watch)
    thread.start()
    clock, own = time.monotonic(), time.process_time()
    try:
        yield effort
    finally:
        effort.seconds, effort.processor = time.monotonic() - clock, time.process_time() - own
        effort.stopped.set()
        thread.join()
        effort.processor += sum(spent - before.get(pid, 0.0) for pid, spent in effort.below.items())


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


def alone(tokenizer: Path, texts: list[str]) -> Effort:
    """The library with all cores."""
    encoder = load_encoder(tokenizer)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    with watched() as effort:
        for start in range(0, len(texts), BATCH):
            encoder.encode_batch_fast(texts[start : start + BATCH], add_special_tokens=False)
    return effort


def groundup(tokenizer: Path, corpus: Path, out: Path) -> Effort:
    """The whole step, on all cores."""
    entries = load_encoder(tokenizer).get_vocab_size()
    with watched() as effort:
        encode_corpus(corpus, tokenizer, 0, entries, out / "shards", out / "checkpoints", Executor())
    return effort


def main(run: Path, megabytes: int) -> None:
    """Measure, print the table and write it between the two marks of the page."""
    tokenizer = run / "tokenizer" / "tokenizer.json"
    with tempfile.TemporaryDirectory() as place:
        corpus = Path(place) / "corpus"
        texts = write_corpus(run / "corpus" / "train", corpus, megabytes * 1_000_000)
        size = sum(len(text.encode()) for text in texts) / 1e6
        rounds = []
        for number in range(ROUNDS):
            rounds.append((alone(tokenizer, texts), groundup(tokenizer, corpus, Path(place) / str(number))))
            print(_row(str(number + 1), size, *rounds[-1]), flush=True)
        less = Path(place) / "less"
        (less / "train").mkdir(parents=True)
        for file in corpus_files(corpus / "train")[:2]:
            (less / "train" / file.name).symlink_to(file)
        small = groundup(tokenizer, less, Path(place) / "small")
        tokens = sum(map(len, open_shards(Path(place) / "0" / "shards" / "train")))
    table = _table(rounds, size, tokens, len(texts), small)
    print(table)
    write_between(TOKENIZER, "speed", table)


def _table(
    rounds: list[tuple[Effort, Effort]], size: float, tokens: int, documents: int, small: Effort
) -> str:
    efforts = [ours for _, ours in rounds]
    one, together = max(e.one for e in efforts) / 1e6, max(e.together for e in efforts) / 1e6
    clock = statistics.median(library.seconds / ours.seconds for library, ours in rounds)
    processor = statistics.median(library.processor / ours.processor for library, ours in rounds)
    return "\n".join(
        [
            f"{size:.0f} MB in {documents:,} documents (a smaller corpus, repeated), {tokens:,} tokens, on "
            f"{describe_hardware(hardware())}, tokenizers {version('tokenizers')}:",
            "",
            "| round | library, MB/s | Groundup, MB/s | share | library, MB per processor second | Groundup | share |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *(_row(str(n), size, library, ours) for n, (library, ours) in enumerate(rounds, start=1)),
            f"| median | | | {clock:.0%} | | | {processor:.0%} |",
            "",
            f"Most memory of one process of the step: {one:.0f} MB; of all together: {together:.0f} MB. "
            f"With the first two files alone: {small.one / 1e6:.0f} MB and {small.together / 1e6:.0f} MB.",
        ]
    )


def _row(name: str, size: float, library: Effort, ours: Effort) -> str:
    return (
        f"| {name} | {size / library.seconds:.2f} | {size / ours.seconds:.2f} | {library.seconds / ours.seconds:.0%} "
        f"| {size / library.processor:.2f} | {size / ours.processor:.2f} "
        f"| {library.processor / ours.processor:.0%} |"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 128)
