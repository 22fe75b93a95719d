"""Data sets of the Hugging Face Hub, streamed, whole or a shard at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline.errors import GroundupError, first_line
from pipeline.hub.asking import asked
from pipeline.hub.files import commit_of, is_there
from pipeline.sources.base import Row

T = TypeVar("T")

_DESCRIPTIONS = ("README.md", ".huggingface.yaml", "dataset_infos.json")
"""Files of a data set that say which configurations, splits and features it has."""
_NAME = re.compile(
    r"(?P<repository>[^:#@]+)(@(?P<revision>[^:#]+))?(:(?P<configuration>[^#]+))?(#(?P<index>\d+)/(?P<shards>\d+))?"
)


@dataclass(frozen=True)
class HubData:
    """``OWNER/NAME``, ``OWNER/NAME:CONFIGURATION``, either with ``@REVISION`` before and ``#INDEX/SHARDS`` behind."""

    repository: str
    revision: str | None
    configuration: str | None
    index: int
    shards: int
    """1: all of it."""

    @classmethod
    def named(cls, name: str) -> HubData:
        """The data set of a name.

        Raises:
            GroundupError: when the name is none, or names a shard that cannot be.
        """
        match = _NAME.fullmatch(name)
        index, shards = (int(match["index"] or 0), int(match["shards"] or 1)) if match else (1, 0)
        if match is None or index >= shards:
            raise GroundupError(
                f"hub:{name}",
                "it is no name of a Hub data set",
                "write hub:OWNER/NAME, with @REVISION, :CONFIGURATION and #INDEX/SHARDS (from 0) where you want them",
            )
        return cls(match["repository"], match["revision"], match["configuration"], index, shards)

    @property
    def name(self) -> str:
        """Of the repository, with the revision that was asked for."""
        return self.repository + (f"@{self.revision}" if self.revision else "")

    @property
    def commit(self) -> str:
        """What all reading in this process is of.

        Raises:
            GroundupError: when there is no such data set.
        """
        return commit_of(self.name, "dataset")

    def stream(self, split: str) -> Any:
        """The streaming data set, or the shard of it."""
        import datasets

        whole = datasets.load_dataset(
            self.repository, self.configuration, split=split, streaming=True, revision=self._prepared()
        )
        if self.shards > whole.num_shards:
            raise GroundupError(
                f"hub:{self.repository}",
                f"the split '{split}' has {whole.num_shards} shards and not {self.shards}",
                "give a number after / that is not larger",
            )
        return whole if self.shards == 1 else whole.shard(num_shards=self.shards, index=self.index)

    def splits(self) -> list[str]:
        """Names of the splits."""
        import datasets

        return datasets.get_dataset_split_names(
            self.repository, self.configuration, revision=self._prepared()
        )

    def _prepared(self) -> str:
        """The commit, with what describes it in the cache: where that does not come, datasets goes on without."""
        for file in _DESCRIPTIONS:
            is_there(self.name, "dataset", file)
        return self.commit


def read_hub(name: str, split: str) -> Iterator[Row]:
    """Rows of a data set (see ``HubData``), streamed, with labels by their names.

    Where the Hub fails for a while, reading goes on after the last row that came.
    """
    import datasets

    data = HubData.named(name)
    title = re.sub("[@#][^:#]*", "", name)
    place = f"hub:{title} {split}" + (f" shard {data.index}/{data.shards}" if data.shards > 1 else "")
    stream = _read(name, lambda: data.stream(split))
    labels = {n: f for n, f in (stream.features or {}).items() if isinstance(f, datasets.ClassLabel)}
    rows = _Rows(lambda: data.stream(split), stream)
    while (values := _read(name, rows.next)) is not None:
        named = {n: f.int2str(values[n]) for n, f in labels.items() if values[n] in range(f.num_classes)}
        yield Row({**values, **named}, f"{place} row {rows.given}")


class _Rows:
    """Rows of a stream, which is opened anew behind the last one where it broke."""

    def __init__(self, again: Callable[[], Any], stream: Any) -> None:
        self.again, self.given = again, 0
        self.rows: Iterator[Any] | None = iter(stream)

    def next(self) -> Any:
        """The next row, None behind the last."""
        if self.rows is None:
            self.rows = iter(self.again().skip(self.given))
        rows, self.rows = self.rows, None  # a stream that raised is at its end
        found = next(rows, None)
        self.rows, self.given = rows, self.given + 1
        return found


def hub_parts(name: str, split: str) -> list[str]:
    """A spec for each shard of a data set; one after the other they are its rows in their order."""
    data = HubData.named(name)
    shards = 1 if data.shards > 1 else _read(name, lambda: data.stream(split).num_shards)
    return [f"hub:{name}#{index}/{shards}" for index in range(shards)] if shards > 1 else [f"hub:{name}"]


def held_out_split(name: str) -> str | None:
    """The data set's own held-out split, validation before test, or None."""
    splits = _read(name, HubData.named(name).splits)
    return next((s for s in ("validation", "dev", "test") if s in splits), None)


def revision_of(name: str) -> str:
    """The commit of a data set, or nothing where the Hub cannot be reached: what is done already does not need it."""
    try:
        return HubData.named(name).commit
    except GroundupError:
        return ""


def _read(name: str, ask: Callable[[], T]) -> T:
    """What a data set answers, with patience.

    Raises:
        GroundupError: when it does not.
    """
    try:
        return asked(f"hub:{name}", ask)
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of this machine's files
        raise GroundupError(
            f"hub:{name}",
            f"it cannot be read ({first_line(error)[:160]})",
            "check its configuration and split",
        ) from None
