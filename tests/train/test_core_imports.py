"""Pre-training and its benchmark on a GPU run where nothing is installed but torch, transformers and what they need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.command_line import ROOT

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(__file__).with_name("core_only")),
    "HF_HUB_OFFLINE": "1",
    "TORCH_COMPILE_DISABLE": "1",  # what is compiled needs nothing else, but minutes
}
PRETRAIN = """
import sys
from pathlib import Path
from runpy import run_path
from pipeline.artifacts import Artifact
from pipeline.train.pretrain import pretrain

pretrain(run_path(sys.argv[1])["recipe"], Path(sys.argv[2]), Artifact(Path(sys.argv[3])))
"""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_what_else_is_installed_is_not_found_there() -> None:
    names = ["torch", "transformers", "datasets", "evaluate", "pyarrow", "sklearn"]
    find = f"from importlib.util import find_spec; print([n for n in {names} if find_spec(n) is None])"
    assert run("-c", find).stdout.strip() == str(names[2:])


def test_pretraining_needs_only_its_core(tiny: Path, whole_run: Path, tmp_path: Path) -> None:
    done = run("-c", PRETRAIN, tiny, whole_run / "tiny" / "tokenizer", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.safetensors").is_file()


def test_the_benchmark_on_a_gpu_needs_only_the_core(tmp_path: Path) -> None:
    page, results = tmp_path / "page.md", tmp_path / "gpu.json"
    page.write_text("<!-- gpu -->\nnot measured\n<!-- /gpu -->\n")
    options = ["--device", "cpu", "--depth", "1", "--steps", "1", "--rounds", "1"]
    done = run("-m", "benchmarks.gpu", *options, "--page", page, "--results", results)
    assert done.returncode == 0, done.stdout + done.stderr
    (measured,) = json.loads(results.read_text())["models"]
    assert measured["contenders"].keys() == measured["data_wait"].keys() == {"bare", "groundup"}
    assert all(contender["tokens_per_second"] > 0 for contender in measured["contenders"].values())
    assert all(0 < share < 1 for share in measured["data_wait"].values())
    assert "| Groundup |" in page.read_text()
