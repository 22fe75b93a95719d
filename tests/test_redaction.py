"""Tokens and passwords stand in nothing that is printed or written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipeline.artifacts import Artifact
from pipeline.errors import GroundupError
from pipeline.redaction import redacted
from tests.command_line import run_groundup

PLANTED = "hf_" + "Zz9" * 11
"""In the shape of the Hub's tokens."""
PLAIN = "no-shape-of-its-own-77"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WANDB_API_KEY", PLAIN)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"GET https://you:{PLANTED}@example.org/a failed", "GET https://***@example.org/a failed"),
        (f"header Bearer {PLAIN} refused", "header Bearer *** refused"),
        (f"token {PLANTED}.", "token ***."),
        (f"{PLAIN} and {PLAIN}", "*** and ***"),
        ("https://example.org/f?token=abc&x=1", "https://example.org/f?token=***&x=1"),
        (
            "https://s3.example.org/f?a=1&X-Amz-Signature=0fe1",
            "https://s3.example.org/f?a=1&X-Amz-Signature=***",
        ),
        ("hf_short, user@example.org and https://example.org/@you", None),
    ],
)
def test_secrets_go_and_all_else_stays(text: str, left: str | None) -> None:
    assert redacted(text) == (text if left is None else left)
    assert redacted({"a": [text, 1], "b": None}) == {"a": [text if left is None else left, 1], "b": None}


def test_the_stored_token_is_a_secret(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text("kept-in-a-file\n")
    assert redacted("it is kept-in-a-file") == "it is ***"


def test_errors_and_manifests_say_none(tmp_path: Path) -> None:
    assert PLAIN not in str(GroundupError(f"https://a:{PLAIN}@b.org", f"refused {PLAIN}", "log in"))
    artifact = Artifact(tmp_path / "stage")
    artifact.begin({"fingerprint": "a", "settings": {"start": f"https://a:{PLANTED}@b.org"}})
    artifact.finish({"fingerprint": "a", "settings": {"start": PLAIN}}, {})
    assert not re.search(f"{PLAIN}|{PLANTED}", (tmp_path / "stage" / "manifest.json").read_text())


def test_the_command_line_tells_none(tiny: Path, whole_run: Path, tmp_path: Path) -> None:
    """Neither in what it prints, where the address of the Hub is wrong, nor in any file of a run."""
    proxy = f"http://you:{PLAIN}@127.0.0.1:9"
    secrets = {"HF_TOKEN": PLANTED, "HF_ENDPOINT": proxy, "https_proxy": proxy, "HF_HUB_OFFLINE": "0"}
    common = ["--recipe", str(tiny), "--runs", str(tmp_path / "runs"), "--task", "sentiment"]
    refused = run_groundup("finetune", *common, "--model", "you/model", **secrets)
    assert refused.returncode == 2 and "you/model" in refused.stderr
    done = run_groundup("finetune", *common, "--model", whole_run / "tiny" / "pretrain", **secrets)
    assert done.returncode == 0, done.stderr
    pushed = run_groundup(
        "publish", *common, "--repo", "you/x", "--model", whole_run / "tiny" / "pretrain", **secrets
    )
    assert pushed.returncode == 2
    for said in (refused, done, pushed):
        assert not re.search(f"{PLAIN}|{PLANTED}", said.stdout + said.stderr)
    files = [file for file in (tmp_path / "runs").rglob("*") if file.is_file()]
    assert len(files) > 8
    assert not any(word.encode() in file.read_bytes() for file in files for word in (PLAIN, PLANTED))
    assert json.loads((tmp_path / "runs" / "tiny" / "finetune" / "sentiment" / "manifest.json").read_text())[
        "complete"
    ]
