"""The one way to read: a spec such as ``my.csv`` or ``package:NAME/GLOB`` to rows with their place."""

from __future__ import annotations

import glob
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.errors import GroundupError, nearest, refuse_surrogates
from pipeline.sources.base import (
    BESIDE,
    FILES,
    INSTALLED,
    MISSING,
    Row,
    files_below,
    formats,
    hub_name,
    package_files,
    package_root,
    sound,
    suffix_of,
)
from pipeline.sources.hub import held_out_split, hub_parts, read_hub
from pipeline.sources.licences import licence_in, licence_of

_PART = "part:"
"""Before the spec of one file of several, which may be empty."""


def read(spec: str, split: str = "train") -> Iterator[Row]:
    """Rows of a source, one after the other, as a stream.

    Args:
        spec: ``installed:NAME``, ``package:IMPORT_NAME/GLOB``, ``hub:OWNER/NAME``, a file, a directory, or one
            of the ``parts`` of any of these.
        split: split to read where the source has several (Hub data sets).

    Raises:
        GroundupError: when there is nothing there, the format is unknown or a row cannot be read.
    """
    return sound(read_all(spec, split))


def read_all(spec: str, split: str = "train") -> Iterator[Row]:
    """The same with rows that could not be read in their places, which say why (``Row.refusal``)."""
    return _licensed(_rows(spec, split), spec.removeprefix(_PART))


def parts(spec: str, split: str = "train") -> list[str]:
    """Specs that can be read each on its own; one after the other they have the rows of the whole.

    A file of a directory or of a package is a part, and a shard of a Hub data set; there the place of a row
    counts from the beginning of its shard. Anything else is one part.

    Raises:
        GroundupError: as ``read`` does before the first row.
    """
    if spec.startswith(_PART) or spec.startswith("installed:"):
        _rows(spec, split)  # for its errors
        return [spec]
    if name := hub_name(spec):
        return hub_parts(name, split)
    files = _files(spec)
    if len(files) == 1 and files[0] == Path(spec):
        return [spec]
    if not any(file.stat().st_size for file in files):
        raise _all_empty(spec)
    if spec.startswith("package:"):
        package = spec.removeprefix("package:").partition("/")[0]
        root = package_root(package)
        names = [file.relative_to(root).as_posix() for file in files]
        return [f"{_PART}package:{package}/{glob.escape(name)}" for name in names]
    return [f"{_PART}{file}" for file in files]


def bytes_of(part: str) -> int | None:
    """Size of the files that a part is, None of one that is no file."""
    if part.startswith("installed:") or hub_name(part):
        return None
    return sum(file.stat().st_size for file in _files(part.removeprefix(_PART)))


def read_splits(spec: str) -> tuple[Iterator[Row], Iterator[Row] | None]:
    """Training rows, and held-out rows where the source keeps its own (files or splits of such a name).

    Those that could not be read are among them, and say why (``Row.refusal``). Code and pages that lie in a directory
    beside files of other formats are not read: they come with the data.
    """
    path = Path(spec)
    if path.is_dir():
        files = files_below(path)
        files = [file for file in files if suffix_of(file) not in BESIDE] or files
        held_out = [p for p in files if _is_held_out(p, path)]
        training = [p for p in files if p not in held_out]
        if held_out and training:
            return _of_files(training, spec), _of_files(held_out, spec)
        return _of_files(files, spec), None
    if name := hub_name(spec):
        split = held_out_split(name)
        return read_all(spec), read_all(spec, split) if split else None
    return read_all(spec), None


def _is_held_out(file: Path, below: Path) -> bool:
    words = {*file.relative_to(below).parts[:-1], file.stem.split("-")[0].split(".")[0].split("_")[0]}
    return bool(words & {"test", "validation", "valid", "dev", "eval"})


def _rows(spec: str, split: str) -> Iterator[Row]:
    if spec.startswith("installed:"):
        name = spec.removeprefix("installed:")
        if name not in INSTALLED:
            raise GroundupError(spec, "no such installed collection", nearest(name, INSTALLED))
        return INSTALLED[name]()
    if name := hub_name(spec):
        return read_hub(name, split)
    if spec.startswith(_PART):
        return itertools.chain.from_iterable(map(_of_file, _files(spec.removeprefix(_PART))))
    files = _files(spec)
    return _of_one_file(files[0]) if files == [Path(spec)] else _of_files(files, spec)


def _licensed(rows: Iterator[Row], spec: str) -> Iterator[Row]:
    """Rows with the licence that they state, or else that of their source."""
    general = licence_of(spec)
    for row in rows:
        licence = row.licence or licence_in(row.values) or general
        yield replace(row, licence=licence) if licence else row


def _files(spec: str) -> list[Path]:
    """Files of a spec, all of formats that can be read."""
    if not spec.strip():
        raise GroundupError(f"'{spec}'", "it names no file", "give the path of a file or a directory")
    if spec.startswith("package:"):
        files = package_files(spec.removeprefix("package:"))
    elif Path(spec).exists():
        files = files_below(Path(spec))
    else:
        raise GroundupError(
            spec, "there is no such file or directory", "check the path; a Hub data set is OWNER/NAME"
        )
    if not files:
        raise GroundupError(spec, "no readable file there", f"give files that end in {formats()}")
    for file in files:
        refuse_surrogates(str(file), ascii(str(file)))
        suffix = suffix_of(file)
        if suffix in MISSING:
            raise GroundupError(str(file), f"nothing is installed that reads '{suffix}'", MISSING[suffix])
        if suffix not in FILES:
            raise GroundupError(
                str(file), f"'{suffix}' is no format that can be read", f"use one of {formats()}"
            )
    return files


def _of_files(files: list[Path], spec: str) -> Iterator[Row]:
    """Rows of several files; those without any are passed over as long as one has some."""
    found = False
    for file in files:
        for row in _of_file(file):
            found = True
            yield row
    if not found:
        raise _all_empty(spec)


def _of_one_file(file: Path) -> Iterator[Row]:
    found = False
    for row in _of_file(file):
        found = True
        yield row
    if not found:
        what = "the file has no rows" if file.stat().st_size else "the file is empty"
        raise GroundupError(str(file), what, "give a file with at least one row, or take it away")


def _of_file(file: Path) -> Iterator[Row]:
    if file.stat().st_size:  # some formats cannot be empty, and do not have to
        yield from FILES[suffix_of(file)](file)


def _all_empty(spec: str) -> GroundupError:
    return GroundupError(spec, "none of the files there has a row", "give one with at least one row")
