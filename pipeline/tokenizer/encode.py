"""Text to token ids: the whole corpus, one task a file, on one machine or a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from pipeline.errors import refuse_surrogates
from pipeline.executors import Step, run_step, workers_of
from pipeline.recipe import Executor
from pipeline.tokenizer.shards import corpus_files, read_texts, token_type, write_shard

PARTS = ("train", "validation")
_PARALLEL = "TOKENIZERS_PARALLELISM"
_DOCUMENTS = 64
"""Encoded at a time: what is made of them still lies in the processor's caches when it is written."""


def load_encoder(file: Path) -> Tokenizer:
    """A tokenizer for text that nobody vouches for: what spells a special token is text like any other."""
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer


def encode_texts(tokenizer: Tokenizer, texts: Sequence[str], place: str) -> list[list[int]]:
    """Token ids of each text, without any that the tokenizer would add.

    Args:
        tokenizer: what ``load_encoder`` gives.
        texts: any Unicode text.
        place: where they come from, for the error.

    Raises:
        GroundupError: for a text with half a surrogate pair, which is no Unicode text and has no UTF-8 form.
    """
    try:
        return [encoded.ids for encoded in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    except (TypeError, UnicodeEncodeError):
        for number, text in enumerate(texts, start=1):
            refuse_surrogates(text, f"{place}, text {number}")
        raise


@dataclass(frozen=True)
class Work:
    """One file of the corpus and the shard that it becomes."""

    texts: Path
    shard: Path


class Encode(Step):
    """Each task encodes one file of the corpus into one shard."""

    def __init__(
        self,
        tokenizer: Path,
        end_of_text: int,
        entries: int,
        files: Sequence[Work],
        beside: Path,
        threads: bool,
    ) -> None:
        """What every task needs.

        Args:
            tokenizer: ``tokenizer.json``.
            end_of_text: id that follows each document.
            entries: one more than the highest id.
            files: what the tasks read and write.
            beside: directory for shards that are not whole yet.
            threads: whether a task may use several cores.
        """
        super().__init__()
        self.tokenizer, self.end_of_text, self.entries = tokenizer, end_of_text, entries
        self.files, self.beside, self.threads = files, beside, threads

    def work(self, task: int) -> None:
        """Encode one file; the same file gives the same bytes wherever and whenever it is done."""
        file, kind = self.files[task], token_type(self.entries)
        tokenizer = load_encoder(self.tokenizer)
        parts, ends, size = [np.empty(0, kind)], [np.empty(0, np.int64)], 0
        with _threads(self.threads):
            for texts in read_texts(file.texts, _DOCUMENTS):
                flat: list[int] = []
                marks = []
                for ids in encode_texts(tokenizer, texts, str(file.texts)):
                    flat += ids
                    flat.append(self.end_of_text)
                    marks.append(size + len(flat))
                parts.append(np.array(flat, kind))
                ends.append(np.array(marks, np.int64))
                size += len(flat)
        write_shard(np.concatenate(parts), np.concatenate(ends), file.shard, self.beside)


@contextmanager
def _threads(several: bool) -> Iterator[None]:
    """Let the library use several cores in here, or one."""
    before = os.environ.get(_PARALLEL)
    os.environ[_PARALLEL] = "true" if several else "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PARALLEL]
        else:
            os.environ[_PARALLEL] = before


def encode_corpus(
    corpus: Path,
    tokenizer: Path,
    end_of_text: int,
    entries: int,
    shards: Path,
    checkpoints: Path,
    executor: Executor,
) -> None:
    """Encode the corpus into ``shards/train`` and ``shards/validation``; shards that are done are not done again.

    Args:
        corpus: directory of the corpus stage.
        tokenizer: ``tokenizer.json``.
        end_of_text: id that follows each document.
        entries: one more than the highest id.
        shards: directory of the shards.
        checkpoints: directory of the marks of finished tasks and of shards that are not whole yet.
        executor: where it is done.
    """
    files = [
        Work(file, shards / part / f"{file.stem}.npy")
        for part in PARTS
        for file in corpus_files(corpus / part)
    ]
    threads = len(files) < workers_of(executor)
    beside = checkpoints / "shards"
    step = Encode(tokenizer, end_of_text, entries, files, beside, threads)
    if files:
        run_step(step, len(files), executor, checkpoints / "encode")
