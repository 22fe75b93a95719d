"""A stage's directory: whole or not there, locked, and finished only with its manifest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.artifacts import Artifact
from pipeline.errors import GroundupError


def test_finished_only_with_a_manifest_and_every_file(tmp_path: Path) -> None:
    artifact = Artifact(tmp_path / "stage")
    artifact.begin({"fingerprint": "a"})
    with artifact.writing() as beside:
        (beside / "part").mkdir()
        (beside / "part" / "file").write_text("content")
        assert not (artifact.path / "part").exists()
    assert not artifact.is_complete("a")
    artifact.finish({"fingerprint": "a"}, {"model": {"loss": 1.0}})
    assert artifact.is_complete("a") and not artifact.is_complete("b")
    (artifact.path / "part" / "file").write_text("cut")
    assert not artifact.is_complete("a")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    artifact = Artifact(tmp_path / "stage")
    artifact.begin({"fingerprint": "a"})
    with pytest.raises(RuntimeError), artifact.writing() as beside:
        (beside / "model").write_text("half")
        raise RuntimeError
    assert not (artifact.path / "model").exists() and not artifact.is_complete("a")


def test_other_settings_clear_and_the_same_resume(tmp_path: Path) -> None:
    artifact = Artifact(tmp_path / "stage")
    artifact.begin({"fingerprint": "a"})
    artifact.checkpoints.mkdir()
    artifact.begin({"fingerprint": "a"})
    assert artifact.checkpoints.is_dir()
    artifact.begin({"fingerprint": "b"})
    assert not artifact.checkpoints.exists()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline.artifacts import Artifact\n"
        "with Artifact(Path(sys.argv[1])).locked(): pass"
    )
    with Artifact(tmp_path).locked():
        second = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
    assert "another process is at work" in second.stderr
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0


def test_a_damaged_manifest_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(GroundupError, match="damaged"):
        Artifact(tmp_path).manifest()
