"""A stage's directory: whole or not there, locked, and finished only with its manifest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import pytest

from pipeline import artifacts
from pipeline.artifacts import Artifact
from pipeline.errors import GroundupError
from tests.command_line import ROOT


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


def _another_machine(directory: Path) -> Path:
    """The lease that a process on a machine of another name holds; here it has no lock."""
    code = (
        "import os, socket, sys; socket.gethostname = lambda: 'elsewhere'\n"
        "import filelock; from pipeline import artifacts\n"
        "lease = filelock.SoftFileLease(sys.argv[1], lease_duration=2.0); lease.acquire(); os._exit(0)"
    )
    lease = directory / artifacts._LEASE
    subprocess.run([sys.executable, "-c", code, str(lease)], cwd=ROOT, check=True)
    assert "elsewhere" in lease.read_text()
    return lease


def test_another_machine_is_looked_at_for_signs_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(artifacts, "_LEASE_SECONDS", 2.0)
    artifact, lease, done = Artifact(tmp_path), _another_machine(tmp_path), Event()

    def live() -> None:
        while not done.wait(0.2):
            os.utime(lease)

    alive = Thread(target=live)
    alive.start()
    with pytest.raises(GroundupError, match="process on another machine is at work"), artifact.locked():
        pass
    done.set()
    alive.join()
    with artifact.locked():  # now it gives none
        pass
    assert capsys.readouterr().out.count("waiting 2 s for a sign of life") == 2 and not lease.exists()


def test_a_crash_on_this_machine_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (
        "import os, sys; from pathlib import Path; from pipeline.artifacts import Artifact\n"
        "held = Artifact(Path(sys.argv[1])).locked(); held.__enter__(); os._exit(1)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=False).returncode == 1
    assert (tmp_path / artifacts._LEASE).is_file()
    with Artifact(tmp_path).locked():
        pass
    assert "waiting" not in capsys.readouterr().out


def test_a_damaged_manifest_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(GroundupError, match="damaged"):
        Artifact(tmp_path).manifest()


def test_a_log_is_read_up_to_a_line_that_was_cut_off_whatever_its_texts_hold(tmp_path: Path) -> None:
    rows = [{"text": "one\u0085two\u2028three\rfour"}, {"text": "five"}]
    artifacts.write_json_lines(tmp_path / "log.jsonl", rows)
    assert (
        artifacts.read_log(tmp_path / "log.jsonl")
        == artifacts.read_json_lines(tmp_path / "log.jsonl")
        == rows
    )
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"text": "si')
    assert artifacts.read_log(tmp_path / "log.jsonl") == rows
    assert artifacts.read_log(tmp_path / "nowhere.jsonl") == []
