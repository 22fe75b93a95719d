"""What is read from the Hub is one commit, which can be named, and which the manifest tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.command_line import ROOT, Groundup
from tests.hub_server import hub_server
from tests.hub_store import Blob, Repository

READ = """
import json, sys
from pipeline.sources import read
from pipeline.sources.identity import identity
print(json.dumps([next(read(sys.argv[1])).values["text"].split()[0], identity(sys.argv[1])]))
"""


def _rows(word: str) -> Blob:
    rows = [{"text": f"{word} day {n}", "label": n % 2} for n in range(40)]
    return Blob("".join(json.dumps(row) + "\n" for row in rows).encode(), lfs=False)


def _read(spec: str, environment: dict[str, str]) -> tuple[str, list[str]]:
    """The first word of the rows and the identity, by a new process."""
    command = [sys.executable, "-c", READ, spec]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    word, identity = json.loads(done.stdout)
    return word, identity


def test_a_revision_can_be_named_and_a_new_one_is_other_data(tmp_path: Path) -> None:
    with hub_server() as hub:
        environment, days = hub.environment(tmp_path / "home"), Repository(private=False)
        hub.datasets["user/days"] = days
        first = days.commit({"train.jsonl": _rows("old")})
        second = days.commit({"train.jsonl": _rows("new")})
        named = f"hub:user/days@{first}"
        assert _read(named, environment) == ("old", [named, first])
        assert _read("hub:user/days", environment) == ("new", ["hub:user/days", second])
        third = days.commit({"train.jsonl": _rows("newest")})
        assert _read("hub:user/days", environment) == ("newest", ["hub:user/days", third])


def test_the_manifest_tells_the_commits(
    groundup: Groundup, tiny: Path, whole_run: Path, tmp_path: Path
) -> None:
    base = whole_run / "tiny" / "pretrain"
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    with hub_server() as hub:
        days, model = Repository(private=False), Repository(private=False)
        hub.datasets["user/days"], hub.repositories["user/base"] = days, model
        of_rows = days.commit({"train.jsonl": _rows("a")})
        of_model = model.commit({n: Blob((base / n).read_bytes(), lfs=False) for n in names})
        done = groundup(
            "finetune", "--task", "sentiment", "--data", "hub:user/days", "--model", f"user/base@{of_model}",
            "--recipe", tiny, "--runs", tmp_path, "--finetune.label-names", **hub.environment(tmp_path / "home"),
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "tiny" / "finetune" / "sentiment" / "manifest.json").read_text())
    assert manifest["revisions"] == {"hub:user/days": of_rows, f"user/base@{of_model}": of_model}
