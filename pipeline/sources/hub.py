"""Data sets of the Hugging Face Hub, streamed."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import GroundupError, first_line
from pipeline.sources.base import Row


def read_hub(name: str, split: str) -> Iterator[Row]:
    """Rows of ``OWNER/NAME`` or ``OWNER/NAME:CONFIGURATION``, streamed, with labels by their names."""
    import datasets

    repository, configuration = _parts(name)
    try:
        stream = datasets.load_dataset(repository, configuration, split=split, streaming=True)
        labels = {n: f for n, f in (stream.features or {}).items() if isinstance(f, datasets.ClassLabel)}
        for number, values in enumerate(stream, start=1):
            named = {n: f.int2str(values[n]) for n, f in labels.items() if values[n] in range(f.num_classes)}
            yield Row({**values, **named}, f"hub:{name} {split} row {number}")
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreachable(name, error) from None


def held_out_split(name: str) -> str | None:
    """The data set's own held-out split, validation before test, or None."""
    import datasets

    repository, configuration = _parts(name)
    try:
        splits = datasets.get_dataset_split_names(repository, configuration)
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreachable(name, error) from None
    return next((s for s in ("validation", "dev", "test") if s in splits), None)


def _parts(name: str) -> tuple[str, str | None]:
    repository, _, configuration = name.partition(":")
    return repository, configuration or None


def _unreachable(name: str, error: BaseException) -> GroundupError:
    return GroundupError(
        name,
        f"there is no such file here, and as a Hub data set it cannot be read ({first_line(error)[:160]})",
        "check the path, or the Hub name and the network",
    )
