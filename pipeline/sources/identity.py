"""What a source holds, in short, so that changed data counts as a changed setting."""

from __future__ import annotations

import hashlib
import sys
from importlib import metadata
from pathlib import Path

from pipeline.sources.base import DISTRIBUTIONS, files_below, hub_name, package_files
from pipeline.sources.hub import revision_of

_HASHED_BYTES = 100_000_000
"""Larger files are known by their size and time of change."""


def identity(spec: str) -> list[str]:
    """Files with their checksums; installed collections by name and version, Hub data sets by name and commit."""
    scheme, _, rest = spec.partition(":")
    if scheme == "package":
        return [_file(path, path.name) for path in package_files(rest)]
    if scheme == "installed":
        return [spec, sys.version, *(f"{name} {_version(name)}" for name in DISTRIBUTIONS.get(rest, ()))]
    if scheme != "hub" and Path(spec).exists():
        root = Path(spec)
        return [_file(path, str(path.relative_to(root))) for path in files_below(root)]
    return [spec, *filter(None, [revision(spec)])]


def revision(spec: str) -> str:
    """The commit of a Hub data set; nothing of other sources, or where the Hub cannot be reached."""
    name = hub_name(spec)
    return revision_of(name) if name else ""


def _file(path: Path, name: str) -> str:
    facts = path.stat()
    if facts.st_size > _HASHED_BYTES:
        return f"{name} {facts.st_size} {facts.st_mtime_ns}"
    with path.open("rb") as file:
        return f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}"


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "absent"
