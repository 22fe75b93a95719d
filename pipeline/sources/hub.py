"""Data sets of the Hugging Face Hub, streamed, whole or a shard at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.errors import GroundupError, first_line
from pipeline.sources.base import Row

_NAME = re.compile(r"(?P<repository>[^:#]+)(:(?P<configuration>[^#]+))?(#(?P<index>\d+)/(?P<shards>\d+))?")


@dataclass(frozen=True)
class HubData:
    """``OWNER/NAME``, ``OWNER/NAME:CONFIGURATION``, or either with ``#INDEX/SHARDS``, taken apart."""

    repository: str
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
                "write hub:OWNER/NAME, with :CONFIGURATION and #INDEX/SHARDS (counted from 0) where you want them",
            )
        return cls(match["repository"], match["configuration"], index, shards)

    def stream(self, split: str) -> Any:
        """The streaming data set, or the shard of it."""
        import datasets

        whole = datasets.load_dataset(self.repository, self.configuration, split=split, streaming=True)
        if self.shards > whole.num_shards:
            raise GroundupError(
                f"hub:{self.repository}",
                f"the split '{split}' has {whole.num_shards} shards and not {self.shards}",
                "give a number after / that is not larger",
            )
        return whole if self.shards == 1 else whole.shard(num_shards=self.shards, index=self.index)


def read_hub(name: str, split: str) -> Iterator[Row]:
    """Rows of a data set (see ``HubData``), streamed, with labels by their names."""
    import datasets

    data = HubData.named(name)
    title = name.partition("#")[0]
    place = f"hub:{title} {split}" + (f" shard {data.index}/{data.shards}" if data.shards > 1 else "")
    try:
        stream = data.stream(split)
        labels = {n: f for n, f in (stream.features or {}).items() if isinstance(f, datasets.ClassLabel)}
        for number, values in enumerate(stream, start=1):
            named = {n: f.int2str(values[n]) for n, f in labels.items() if values[n] in range(f.num_classes)}
            yield Row({**values, **named}, f"{place} row {number}")
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreachable(name, error) from None


def hub_parts(name: str, split: str) -> list[str]:
    """A spec for each shard of a data set; one after the other they are its rows in their order."""
    data = HubData.named(name)
    try:
        shards = 1 if data.shards > 1 else data.stream(split).num_shards
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreachable(name, error) from None
    return [f"hub:{name}#{index}/{shards}" for index in range(shards)] if shards > 1 else [f"hub:{name}"]


def held_out_split(name: str) -> str | None:
    """The data set's own held-out split, validation before test, or None."""
    import datasets

    data = HubData.named(name)
    try:
        splits = datasets.get_dataset_split_names(data.repository, data.configuration)
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreachable(name, error) from None
    return next((s for s in ("validation", "dev", "test") if s in splits), None)


def _unreachable(name: str, error: BaseException) -> GroundupError:
    return GroundupError(
        name,
        f"there is no such file here, and as a Hub data set it cannot be read ({first_line(error)[:160]})",
        "check the path, or the Hub name and the network",
    )
