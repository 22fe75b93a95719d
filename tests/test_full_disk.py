"""A disk without room ends a run with one line at every point of it, and the run goes on when there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cli import main

_MORE = 400_000
"""Bytes that the disk grows by after each run: less than a checkpoint takes."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", place], check=False).returncode
    ):
        pytest.skip("mounting a file system takes root")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def _give(disk: Path, free: int) -> None:
    """Let so many bytes be free, in whole pages."""
    used = shutil.disk_usage(disk).used
    subprocess.run(["mount", "-o", f"remount,size={(used + free) // 4096 * 4096}", disk], check=True)


@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_a_disk_that_grows_too_slowly(
    verb: str, tiny: Path, whole_run: Path, disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = {"pretrain": "pretrain", "finetune": "finetune/sentiment"}[verb]
    shutil.copytree(
        whole_run / "tiny",
        disk / "tiny",
        ignore=shutil.ignore_patterns("finetune", "report", *({verb} - {"finetune"})),
    )
    arguments = [verb, "--recipe", str(tiny), "--runs", str(disk)]
    arguments += ["--task", "sentiment"] if verb == "finetune" else []
    codes: list[int] = []
    free = 0
    while not codes or codes[-1]:
        _give(disk, free)
        codes.append(main(arguments))
        said = capsys.readouterr().err
        assert codes[-1] == 0 or (codes[-1] == 2 and said.count("\n") == 1 and str(disk) in said), said
        free += _MORE
        assert free < 40 * _MORE
    assert len(codes) > 3
    ends = [(runs / "tiny" / stage / "model.safetensors").read_bytes() for runs in (whole_run, disk)]
    assert ends[0] == ends[1]
