"""What stands on the Hub: the commit of a name, and its files, whole."""

from __future__ import annotations

import functools
import hashlib
import time
from pathlib import Path
from typing import Literal, NamedTuple

import huggingface_hub
from huggingface_hub.errors import HFValidationError, RemoteEntryNotFoundError

from pipeline.errors import GroundupError, first_line
from pipeline.hub.asking import DamagedError, asked

Kind = Literal["model", "dataset"]


class Named(NamedTuple):
    """A repository of the Hub and one of its revisions."""

    repository: str
    revision: str | None
    """A branch, tag or commit; None for what stands there now."""

    @classmethod
    def of(cls, name: str) -> Named:
        """Of ``OWNER/NAME`` or ``OWNER/NAME@REVISION``."""
        repository, _, revision = name.partition("@")
        return cls(repository, revision or None)


@functools.cache
def commit_of(name: str, kind: Kind) -> str:
    """The commit that a name stands for, the same one as long as this process runs.

    Where the Hub cannot be reached it is the one of the last time, if there was one.

    Args:
        name: ``OWNER/NAME`` or ``OWNER/NAME@REVISION``.
        kind: what kind of repository it is.

    Raises:
        GroundupError: when there is no such thing, or no telling.
    """
    named = Named.of(name)
    try:
        found = asked(
            name,
            lambda: huggingface_hub.resolve_revision(
                named.repository, repo_type=kind, revision=named.revision
            ),
        )
    except HFValidationError as error:
        raise GroundupError(
            name, f"it is no name of the Hub ({first_line(error)})", "write OWNER/NAME"
        ) from None
    return found.resolved


def downloaded(name: str, kind: Kind, patterns: list[str]) -> Path:
    """A directory with files of a repository, whole and with the checksums that the Hub has of them.

    Args:
        name: ``OWNER/NAME`` or ``OWNER/NAME@REVISION``.
        kind: what kind of repository it is.
        patterns: which of its files, those in directories of it left out.

    Raises:
        GroundupError: when they are not to be had.
    """
    named, commit = Named.of(name), commit_of(name, kind)

    def fetch() -> Path:
        began = time.time()
        place = Path(
            huggingface_hub.snapshot_download(
                named.repository,
                repo_type=kind,
                revision=commit,
                allow_patterns=patterns,
                ignore_patterns=["*/*"],
            )
        )
        for file in sorted(place.iterdir()) if place.is_dir() else ():
            if file.stat().st_mtime > began - 1:  # it has just arrived
                _check(file)
        return place

    return asked(name, fetch)


def is_there(name: str, kind: Kind, file: str) -> bool:
    """Whether a repository has a file, which then is in the cache.

    Raises:
        GroundupError: when there is no telling.
    """
    repository, commit = Named.of(name).repository, commit_of(name, kind)

    def fetch() -> bool:
        try:
            huggingface_hub.hf_hub_download(repository, file, repo_type=kind, revision=commit)
        except RemoteEntryNotFoundError:
            return False
        return True

    return asked(name, fetch)


@functools.cache
def files_of(name: str, kind: Kind) -> list[str]:
    """Names of all files of a repository.

    Raises:
        GroundupError: when they are not to be had.
    """
    repository, commit = Named.of(name).repository, commit_of(name, kind)
    return asked(name, lambda: huggingface_hub.list_repo_files(repository, repo_type=kind, revision=commit))


def _is_whole(blob: Path) -> bool:
    """Whether a file of the cache has the digest that is its name and the Hub's: LFS's, or git's."""
    with blob.open("rb") as content:
        if len(blob.name) == 64:
            return hashlib.file_digest(content, "sha256").hexdigest() == blob.name
        digest = hashlib.sha1(b"blob %d\0" % blob.stat().st_size, usedforsecurity=False)
        while piece := content.read(1 << 20):
            digest.update(piece)
        return digest.hexdigest() == blob.name


def _check(file: Path) -> None:
    """Take a file that did not arrive as it was sent out of the cache.

    Raises:
        DamagedError: when it is such a one.
    """
    blob = file.resolve()
    if len(blob.name) not in (40, 64) or not set(blob.name) <= set("0123456789abcdef"):
        return  # a cache without links does not know the digest
    if not _is_whole(blob):
        blob.unlink()
        file.unlink()
        raise DamagedError(f"{file.name} has another checksum than the Hub's")
