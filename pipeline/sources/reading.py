"""The one way to read: a spec such as ``my.csv`` or ``package:NAME/GLOB`` to rows with their place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import GroundupError, nearest
from pipeline.sources.base import FILES, INSTALLED, Row, files_below, hub_name, package_files, suffix_of
from pipeline.sources.hub import held_out_split, read_hub


def read(spec: str, split: str = "train") -> Iterator[Row]:
    """Rows of a source, one after the other, as a stream.

    Args:
        spec: ``installed:NAME``, ``package:IMPORT_NAME/GLOB``, ``hub:OWNER/NAME``, a file or a directory.
        split: split to read where the source has several (Hub data sets).

    Raises:
        GroundupError: when there is nothing there, the format is unknown or a row cannot be read.
    """
    scheme, _, rest = spec.partition(":")
    if scheme == "installed":
        if rest not in INSTALLED:
            raise GroundupError(spec, "no such installed collection", nearest(rest, INSTALLED))
        return INSTALLED[rest]()
    if scheme == "package":
        return _read_files(package_files(rest), spec)
    if name := hub_name(spec):
        return read_hub(name, split)
    if not Path(spec).exists():
        raise GroundupError(
            spec, "there is no such file or directory", "check the path; a Hub data set is OWNER/NAME"
        )
    return _read_files(files_below(Path(spec)), spec)


def read_splits(spec: str) -> tuple[Iterator[Row], Iterator[Row] | None]:
    """Training rows, and held-out rows where the source keeps its own (files or splits of such a name)."""
    path = Path(spec)
    if path.is_dir():
        held_out = [p for p in files_below(path) if _is_held_out(p, path)]
        training = [p for p in files_below(path) if p not in held_out]
        if held_out and training:
            return _read_files(training, spec), _read_files(held_out, spec)
    if name := hub_name(spec):
        split = held_out_split(name)
        return read(spec), read(spec, split) if split else None
    return read(spec), None


def _is_held_out(file: Path, below: Path) -> bool:
    words = {*file.relative_to(below).parts[:-1], file.stem.split("-")[0].split(".")[0].split("_")[0]}
    return bool(words & {"test", "validation", "valid", "dev", "eval"})


def _read_files(files: list[Path], spec: str) -> Iterator[Row]:
    if not files:
        raise GroundupError(
            spec, "no readable file there", f"give files that end in {', '.join(sorted(FILES))}"
        )
    for file in files:
        if suffix_of(file) not in FILES:
            raise GroundupError(
                str(file),
                f"'{file.suffix}' is no format that can be read",
                f"use one of {', '.join(sorted(FILES))}",
            )
    return _rows(files)


def _rows(files: list[Path]) -> Iterator[Row]:
    for file in files:
        rows = 0
        for row in FILES[suffix_of(file)](file):
            rows += 1
            yield row
        if not rows:
            raise GroundupError(
                str(file), "the file has no rows", "give a file with at least one row, or take it away"
            )


def parts(spec: str) -> list[str]:
    """Specs that together hold the rows of one."""
    return [spec]
