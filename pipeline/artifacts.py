"""A stage's directory: its lock, its manifest, and files that are either whole or not there."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
from safetensors import SafetensorError

from pipeline.errors import GroundupError, first_line
from pipeline.redaction import redacted

MANIFEST = "manifest.json"
METRICS = "metrics.json"
CHECKPOINTS = "checkpoints"
LOG = "log.jsonl"
DROPPED = "dropped.json"
DETAILS = "details.json"
PREDICTIONS = "predictions.jsonl"
WORST = "worst.jsonl"
SKIPPED = "skipped"
"""Directory of a training with the batches of steps that were skipped (pipeline/train/faults/guard.py)."""
PLAN = "plan.json"
"""File of a run with what was planned (pipeline/plan/record.py)."""
HARNESS = "harness"
"""Directory of a run with what lm-eval measured, by the stage that it measured."""
MEMBERSHIP = "membership"
"""Directory of a run with what membership inference found, by the stage that it attacked."""
EXPLAIN = "explain"
"""Directory of a run with how faithful attributions are, by task."""
EXPORT = "export"
"""Directory of a run with its models in the formats of others, by the stage and the format."""
_LOCK, _LEASE = ".lock", ".lease"
_LEASE_SECONDS = 30.0
"""Without a sign of life for so long, a process on another machine counts as gone."""
_WRITING = ".writing"
_FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG
_CANNOT_WRITE = "PytorchStreamWriter", "inline_container", "os error 28"
"""In what torch and tokenizers say when a file cannot be written."""


@dataclass(frozen=True)
class Artifact:
    """The directory of one stage. It counts as finished only when its manifest says ``"complete": true``."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints of a training stage lie."""
        return self.path / CHECKPOINTS

    def manifest(self) -> dict[str, Any]:
        """The manifest, or an empty one where there is none."""
        file = self.path / MANIFEST
        return read_json(file) if file.is_file() else {}

    def metrics(self) -> dict[str, Any]:
        """One object for each row of the stage's table, numbers only."""
        return read_json(self.path / METRICS)

    def details(self) -> dict[str, dict[str, Any]]:
        """What the table of numbers does not hold, by row; nothing of a stage that has no such file."""
        file = self.path / DETAILS
        return read_json(file) if file.is_file() else {}

    def fingerprint(self) -> str:
        """Fingerprint of the settings and inputs that this directory was made, or begun, from."""
        return str(self.manifest().get("fingerprint", ""))

    def is_complete(self, fingerprint: str) -> bool:
        """Whether it was finished from these settings and inputs, and its files are there in their size."""
        manifest = self.manifest()
        if not manifest.get("complete") or manifest.get("fingerprint") != fingerprint:
            return False
        return all(
            (self.path / name).is_file() and (self.path / name).stat().st_size == facts["bytes"]
            for name, facts in manifest.get("files", {}).items()
        )

    def begin(self, manifest: Mapping[str, Any]) -> None:
        """Take the directory for a run; what other settings left there goes, a run that was cut off stays."""
        if self.fingerprint() != manifest["fingerprint"] or self.manifest().get("complete"):
            self.clear()
        self._write_manifest({**manifest, "complete": False})

    def clear(self) -> None:
        """Remove all but the lock and the stages below; the manifest first, so that nothing seems finished."""
        (self.path / MANIFEST).unlink(missing_ok=True)
        for entry in self.path.iterdir() if self.path.is_dir() else ():
            if entry.is_dir() and not (entry / _LOCK).exists():
                shutil.rmtree(entry)
            elif entry.is_file() and entry.name not in (_LOCK, _LEASE):
                entry.unlink()

    def finish(self, manifest: Mapping[str, Any], metrics: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the metrics, then, last of all, the manifest with the checksum of every file."""
        write_json(self.path / METRICS, metrics)
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        files = {str(f.relative_to(self.path)): file_facts(f) for f in self._files()}
        self._write_manifest({**manifest, "files": files, "complete": True})

    def _write_manifest(self, manifest: Mapping[str, Any]) -> None:
        write_json(self.path / MANIFEST, redacted(manifest))

    def take_over(self, other: Artifact) -> None:
        """Be what another finished directory is, by hard links; the manifest last, as ever.

        Files are replaced and never written into, so that whichever of the two is made anew leaves the other.
        """
        self.clear()
        for name in (*other.manifest()["files"], MANIFEST):
            place = self.path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.hardlink_to(other.path / name)

    def _files(self) -> Iterator[Path]:
        for file in sorted(self.path.rglob("*")):
            if file.is_file() and file.name not in (MANIFEST, _LOCK, _LEASE):
                yield file

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """A directory beside; its files are moved into place, one by one, when the block ends well.

        Raises:
            GroundupError: when a library cannot write there.
        """
        beside = self.path / _WRITING
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        try:
            with written(self.path):
                yield beside
                for file in sorted(p for p in beside.rglob("*") if p.is_file()):
                    place = self.path / file.relative_to(beside)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    sync(file)
                    file.replace(place)
        finally:
            shutil.rmtree(beside)  # also what was begun: a full disk wants the room

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory; on this machine the lock goes with the process, however it ends.

        Not every shared file system tells one machine of the locks of another. So there is a lease beside, whose time
        of change is a sign of life: after a crash on another machine it is looked at for half a minute.

        Raises:
            GroundupError: while another process holds it, here or on another machine.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.path / _LOCK, timeout=0)
        lease = filelock.SoftFileLease(self.path / _LEASE, lease_duration=_LEASE_SECONDS)
        try:
            with lock:
                with written(self.path):
                    self._take(lease)
                try:
                    yield
                finally:
                    lease.release()
        except filelock.Timeout as held:
            where = " on another machine" if held.lock_file == lease.lock_file else ""
            raise GroundupError(
                str(self.path),
                f"another process{where} is at work on this stage",
                "wait for it, stop it, or use another --runs directory",
            ) from None

    def _take(self, lease: filelock.SoftFileLease) -> None:
        """Acquire it, once there was no sign of life for as long as it holds.

        Raises:
            filelock.Timeout: when there was one.
        """
        try:
            lease.acquire(timeout=0)
        except filelock.Timeout:
            print(
                f"{self.path}: waiting {_LEASE_SECONDS:.0f} s for a sign of life of another machine",
                flush=True,
            )
            lease.acquire(timeout=_LEASE_SECONDS * 1.2)


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object from a file of a run.

    Raises:
        GroundupError: when it is missing or damaged.
    """
    return _parsed(file, json.loads)


def read_json_lines(file: Path) -> list[dict[str, Any]]:
    """JSON objects from a file of a run, one a line.

    Raises:
        GroundupError: when it is missing or damaged.
    """
    return _parsed(file, lambda text: [json.loads(line) for line in text.split("\n") if line])


def read_log(file: Path) -> list[dict[str, Any]]:
    """The entries of a log; a last line that was cut off is passed over."""
    lines = file.read_text("utf-8").split("\n") if file.is_file() else []
    entries = []
    for line in filter(None, lines):
        try:
            entries.append(json.loads(line))
        except ValueError:
            break
    return entries


def _parsed(file: Path, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(file.read_text("utf-8"))
    except FileNotFoundError:
        raise GroundupError(str(file), "the file is not there", "run the stage that makes it") from None
    except ValueError:
        raise GroundupError(
            str(file), "the file is damaged", "delete the directory and run the stage again"
        ) from None


def write_json(file: Path, value: Any) -> None:
    """Write JSON beside, sync and rename, so that a reader sees the old file or the new one.

    It goes to the file piece by piece: as one text, large ones would take many times their size in memory.
    """
    with replacing(file) as beside, beside.open("w", encoding="utf-8") as handle:
        json.dump(value, handle, indent=2, ensure_ascii=False)
        handle.write("\n")


def write_json_lines(file: Path, rows: Iterable[Any]) -> None:
    """Write one JSON value a line, in the same way."""
    with replacing(file) as beside, beside.open("w", encoding="utf-8") as handle:
        handle.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_text(file: Path, text: str) -> None:
    """Write text beside, sync and rename."""
    with replacing(file) as beside:
        beside.write_text(text, "utf-8")


@contextmanager
def written(place: Path) -> Iterator[None]:
    """Name the place where something cannot be written, which the system and libraries tell in ways of their own.

    Raises:
        GroundupError: when one of them could not write.
    """
    try:
        yield
    except GroundupError:
        raise
    except Exception as error:
        if not _no_room(error):
            raise
        raise GroundupError(
            str(place),
            f"it could not be written ({first_line(error)})",
            "make room and run the same command again: it goes on from what is whole",
        ) from error


def _no_room(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    return isinstance(error, SafetensorError) or any(word in str(error) for word in _CANNOT_WRITE)


@contextmanager
def replacing(file: Path, directory: Path | None = None) -> Iterator[Path]:
    """A hidden path to write to, beside ``file`` or in a directory; it takes its place when the block ends well."""
    directory = directory or file.parent
    for place in (directory, file.parent):
        place.mkdir(parents=True, exist_ok=True)
    beside = directory / f".{file.name}.{uuid.uuid4().hex[:8]}"  # other machines may write here too
    try:
        with written(file):
            yield beside
            sync(beside)
            beside.replace(file)
        sync(file.parent)
    finally:
        beside.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have the disk hold what was written: a file's bytes, or a directory's names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_facts(file: Path) -> dict[str, Any]:
    """The size in bytes and the SHA-256 of a file."""
    with file.open("rb") as handle:
        return {"bytes": file.stat().st_size, "sha256": hashlib.file_digest(handle, "sha256").hexdigest()}
