"""What the stand-in Hub keeps: repositories, their commits, and the large objects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Any

TOKEN = "hf_stand_in"
"""The one token that may write."""


@dataclass
class Blob:
    """A file of a repository."""

    content: bytes
    lfs: bool

    @property
    def oid(self) -> str:
        """The git object id, of the content itself also for LFS files."""
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def entry(self, path: str) -> dict[str, Any]:
        """The file as the tree endpoint lists it."""
        entry: dict[str, Any] = {"type": "file", "path": path, "size": len(self.content), "oid": self.oid}
        if self.lfs:
            entry["lfs"] = {"oid": self.sha256, "size": len(self.content), "pointerSize": 134}
        return entry


def entries(files: dict[str, Blob], below: str, recursive: bool) -> list[dict[str, Any]]:
    """Files and folders in a folder, or in all folders below it too."""
    start = f"{below}/" if below else ""
    inside = [name for name in files if name.startswith(start)]
    folders = {
        start + "/".join(parts[:n])
        for name in inside
        for parts in [name[len(start) :].split("/")]
        for n in range(1, len(parts))
    }
    found = [files[name].entry(name) for name in inside]
    found += [{"type": "directory", "path": name, "size": 0, "oid": "0" * 40} for name in folders]
    shown = [entry for entry in found if recursive or "/" not in entry["path"][len(start) :]]
    return sorted(shown, key=lambda entry: entry["path"])


@dataclass
class Repository:
    """A repository: one branch, its commits as whole sets of files."""

    private: bool
    commits: list[tuple[str, dict[str, Blob]]] = field(default_factory=list)

    def commit(self, files: dict[str, Blob]) -> str:
        """Put a new commit at the end of main; returns its id."""
        names = json.dumps([len(self.commits), sorted((name, blob.oid) for name, blob in files.items())])
        self.commits.append((hashlib.sha1(names.encode()).hexdigest(), files))
        return self.commits[-1][0]

    @property
    def files(self) -> dict[str, Blob]:
        return self.commits[-1][1]

    def at(self, revision: str) -> tuple[str, dict[str, Blob]] | None:
        """Id and files of a commit, named by ``main`` or by its id."""
        if revision == "main":
            return self.commits[-1]
        return next((commit for commit in self.commits if commit[0] == revision), None)


class Ill(Enum):
    """How a request can fail beside a status."""

    CUT = "the connection is cut before the answer"
    HALF = "the connection is cut in the middle of the answer"
    SILENT = "no answer comes"
    FLIPPED = "the answer has its length, and another content"
    TRICKLE = "the answer comes a byte at a time"


Fault = HTTPStatus | Ill | None


@dataclass
class Hub:
    """What the server holds, and what was asked of it."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    """Models by their name."""
    datasets: dict[str, Repository] = field(default_factory=dict)
    """Data sets by their name."""
    spaces: dict[str, Repository] = field(default_factory=dict)
    """Spaces by their name."""
    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """LFS objects by their repository and SHA-256."""
    requests: list[str] = field(default_factory=list)
    """Method and path of every request, in order."""
    role: str = "write"
    """What the token may: write, read, or fineGrained, which is to write to ``granted``."""
    granted: str = "user"
    orgs: dict[str, str] = field(default_factory=dict)
    """Organisations of the token's owner, with the owner's role there."""
    refuse_writes: HTTPStatus | None = None
    """Answer everything that would change a repository with this status."""
    faults: Iterator[Fault] = field(default_factory=lambda: iter(()))
    """How requests fail that come for the first time, one after the other; None cuts the connection."""
    fault_of: Callable[[str, str], Fault] = lambda request, said: None
    """How a request fails by its method and path, and by its query and body, every time it comes; None: not at all."""
    silence: float = 2.5
    """Seconds without an answer where none comes, and between bytes of one that trickles a tenth of it."""
    lock: Lock = field(default_factory=Lock)

    def kept(self, kind: str) -> dict[str, Repository]:
        """Repositories of a kind, as addresses spell it: models, datasets, spaces."""
        return {"models": self.repositories, "datasets": self.datasets, "spaces": self.spaces}[kind]

    def environment(self, home: Path, token: str | None = TOKEN) -> dict[str, str]:
        """Environment variables that send a client here, with an empty cache and nobody else's token."""
        place = {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": "0",
        }
        return place | ({"HF_TOKEN": token} if token else {})
