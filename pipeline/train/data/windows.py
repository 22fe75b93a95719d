"""Text as a stream, in windows: each is read, cleaned and encoded from where the one before it ended.

What a window holds depends on nothing but the settings, the sources and where it begins, and where each ends is
written down. So any of them can be made again, and a training goes on in the middle of one.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from pipeline.artifacts import read_json, write_json
from pipeline.corpus.contamination import Contaminants
from pipeline.corpus.intake import raw_text
from pipeline.corpus.refine import refine
from pipeline.errors import GroundupError
from pipeline.evaluate.split import is_held_out
from pipeline.processes import say
from pipeline.recipe import Corpus, Stream
from pipeline.sources import Row, read_all
from pipeline.sources.tolerance import passed_over, tolerated
from pipeline.tokenizer.encode import encode_texts
from pipeline.tokenizer.shards import Shard, ends_of, token_type, write_shard
from pipeline.train.data.packing import packed

_DOCUMENTS = 64
"""Taken of a source, and encoded, at a time."""


@dataclass(frozen=True)
class Place:
    """Where a stream has come to, for each source in order."""

    rows: tuple[int, ...]
    """Read since the source last began."""
    passes: tuple[int, ...]
    """Through the whole source."""
    tokens: tuple[int, ...]
    """Given so far, in all passes: by them it is decided which source is next."""

    @classmethod
    def beginning(cls, sources: int) -> Place:
        """Of a stream of so many sources."""
        return cls(*(((0,) * sources,) * 3))


@dataclass
class Text:
    """A stream's documents, source after source by their weights.

    Held-out documents are passed over, by the rule of the corpus, and so are those that share a passage with a text
    that something is measured on. Duplicates are not looked for: that takes a look at all of the text.

    Args:
        settings: sources and their weights.
        corpus: how text is cleaned, judged and masked.
        held_out: share of groups that nothing is trained on.
        seed: of the split.
        measured: texts that something is measured on, asked for once.
    """

    settings: Stream
    corpus: Corpus
    held_out: float
    seed: int
    measured: Iterable[str]

    @cached_property
    def contaminants(self) -> Contaminants:
        """The passages of what something is measured on."""
        length = self.corpus.decontaminate
        return Contaminants(self.measured if length else (), length)

    def next_source(self, place: Place) -> int:
        """The source that is farthest behind its weight."""
        weights = self.settings.weights or (1.0,) * len(place.tokens)
        behind = [given / weight for given, weight in zip(place.tokens, weights, strict=True)]
        return behind.index(min(behind))

    def rows(self, source: str) -> Iterator[Row]:
        """Rows of a source that can be read, from its beginning; the corpus says how many others are passed over."""
        column, most = self.corpus.text_column, self.corpus.skip_bad_rows
        heard = itertools.count(1)
        return tolerated(
            read_all(source),
            most,
            lambda row: raw_text(row, column),
            lambda refusal: say(passed_over("stream", next(heard), most, refusal)),
        )

    def documents(self, row: Row) -> Iterator[str]:
        """The clean documents of one row that may be trained on."""
        raw = raw_text(row, self.corpus.text_column)
        if not raw or is_held_out(row.group or raw, self.held_out, self.seed):
            return
        for refined in refine(raw, self.corpus, self.corpus.longest_document, Counter()):
            if not refined.dropped_by and not self.contaminants.are_in(refined.text):
                yield refined.text


class Reader:
    """Reads on from a place; sources stay open from one window to the next."""

    def __init__(self, text: Text, place: Place) -> None:
        self.text, self.place = text, place
        self.rows: list[Iterator[Row]] = [
            itertools.islice(text.rows(source), done, None)
            for source, done in zip(text.settings.sources, place.rows, strict=True)
        ]

    def documents(self) -> tuple[int, list[str]]:
        """The source that is next, and some documents of it; none where it ended, and begins again.

        Raises:
            GroundupError: when a row cannot be read, or a whole source gives nothing to train on.
        """
        source = self.text.next_source(self.place)
        found: list[str] = []
        done = self.place.rows[source]
        for row in self.rows[source]:
            done += 1
            found += self.text.documents(row)
            if len(found) >= _DOCUMENTS:
                self._move(source, rows=done)
                return source, found
        name = self.text.settings.sources[source]
        if not found and not self.place.tokens[source]:
            raise GroundupError(
                name,
                f"none of its {done} rows holds a text to train on",
                "give more text, or drop less of it",
            )
        self.rows[source] = self.text.rows(name)
        self._move(source, rows=0, passes=self.place.passes[source] + 1)
        return source, found

    def give(self, source: int, tokens: int) -> None:
        """Count what a source has given."""
        self._move(source, tokens=self.place.tokens[source] + tokens)

    def _move(self, source: int, **values: int) -> None:
        columns = asdict(self.place)
        for name, value in values.items():
            columns[name] = (*columns[name][:source], value, *columns[name][source + 1 :])
        self.place = Place(**columns)


@dataclass(frozen=True)
class Window:
    """A shard of the stream, and what is known of it whether its tokens are there or not."""

    shard: Shard
    first: int
    """Row of the training that is its first."""
    rows: int
    end: Place

    @property
    def behind(self) -> int:
        """Row of the training that is the first one behind it."""
        return self.first + self.rows

    @property
    def files(self) -> Sequence[Path]:
        """Of its tokens."""
        return self.shard.path, ends_of(self.shard.path)


@dataclass
class Windows:
    """The windows of a stream in a directory.

    Args:
        text: the stream.
        tokenizer: what ``load_encoder`` gives.
        end_of_text: id that follows each document.
        entries: one more than the highest id.
        length: tokens in a row.
        directory: of the windows.
    """

    text: Text
    tokenizer: Tokenizer
    end_of_text: int
    entries: int
    length: int
    directory: Path
    reader: Reader | None = field(default=None, init=False)

    @property
    def plans(self) -> Path:
        """Directory of what is packed with what."""
        return self.directory / "rows"

    def known(self, number: int) -> Window | None:
        """A window that was made once, if it was."""
        mark = self._mark(number)
        if not mark.is_file():
            return None
        values = read_json(mark)
        end = Place(**{name: tuple(column) for name, column in values["end"].items()})
        return Window(Shard(self._shard(number)), values["first"], values["rows"], end)

    def whole(self, number: int) -> Window | None:
        """A window whose tokens are there."""
        window = self.known(number)
        return window if window and all(file.is_file() for file in window.files) else None

    def make(self, number: int) -> Window:
        """A window, made from where the one before it ended if it is not there.

        Raises:
            GroundupError: when its text cannot be read, or there is no room for it.
        """
        if window := self.whole(number):
            return window
        before = self.known(number - 1) if number else None
        begin = before.end if before else Place.beginning(len(self.text.settings.sources))
        if self.reader is None or self.reader.place != begin:
            self.reader = Reader(self.text, begin)
        shard = Shard(self._shard(number))
        self._write(self.reader, shard.path)
        rows = len(packed(shard, self.length, self.plans))
        first = before.behind if before else 0
        window = Window(shard, first, rows, self.reader.place)
        if self.known(number) not in (None, window):
            raise GroundupError(
                ", ".join(self.text.settings.sources),
                f"window {number} of the stream is not what it was before the training was cut off",
                "bring back the text of then, or remove the checkpoints to begin anew",
            )
        write_json(self._mark(number), {"first": first, "rows": rows, "end": asdict(window.end)})
        return window

    def _write(self, reader: Reader, file: Path) -> None:
        """The shard of the next window: documents until it is full."""
        kind, size = token_type(self.entries), 0
        flat, ends = [], []
        while size < self.text.settings.window:
            source, documents = reader.documents()
            before = size
            for ids in encode_texts(self.tokenizer, documents, self.text.settings.sources[source]):
                flat.append(np.array([*ids, self.end_of_text], kind))
                size += len(ids) + 1
                ends.append(size)
            reader.give(source, size - before)
        write_shard(np.concatenate(flat), np.array(ends, np.int64), file, self.directory)

    def forget(self, rows: int) -> None:
        """Remove the tokens of windows that end before a row."""
        for number in itertools.count():
            window = self.known(number)
            if window is None or window.behind > rows:
                return
            for file in (*window.files, *self.plans.glob(f"{window.shard.path.stem}.*")):
                file.unlink(missing_ok=True)

    def _shard(self, number: int) -> Path:
        return self.directory / f"{number:06}.npy"

    def _mark(self, number: int) -> Path:
        return self.directory / f"{number:06}.json"
