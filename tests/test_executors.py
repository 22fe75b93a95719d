"""The same steps on this machine and on a cluster, here a stand-in for Slurm's commands that runs its scripts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.artifacts import Artifact
from pipeline.corpus.build import Builder
from pipeline.errors import GroundupError
from pipeline.executors import Step, run_step
from pipeline.recipe import Executor
from pipeline.recipe_files import load_recipe
from pipeline.sources.base import INSTALLED
from tests.command_line import ROOT
from tests.corpus.made_text import plant
from tests.corpus.test_corpus import make

_COMMANDS = {
    "sbatch": """
script=$(mktemp "$SLURM_STATE/script.XXXX"); cp "${@: -1}" "$script"
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$script")
job=$(( $(ls "$SLURM_STATE" | wc -l) ))
( sleep 0.5
  for number in $(seq 0 "$last"); do SLURM_ARRAY_TASK_ID=$number SLURM_NODELIST=one bash "$script"; done
) > "$SLURM_STATE/log.$job" 2>&1 &
echo $! > "$SLURM_STATE/pid.$job"
echo "Submitted batch job $job"
""",
    "srun": 'while [ "${1#-}" != "$1" ]; do [ "$1" = -n ] && shift; shift; done; exec "$@"',
    "squeue": 'for job; do :; done; kill -0 "$(cat "$SLURM_STATE/pid.$job")" 2>/dev/null && echo "$job R" || true',
    "scontrol": "echo one",
}


_RECIPE = """
from pipeline.recipe import Corpus, Recipe
from pipeline.sources.base import Row, reads_installed

@reads_installed("elsewhere")
def read_elsewhere():
    for number in range(40):
        yield Row({"text": " ".join(f"{number}x{n}" for n in range(50))}, f"row {number}")

recipe = Recipe(name="elsewhere", corpus=Corpus(sources=("installed:elsewhere", "installed:elsewhere")))
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Slurm's commands at the front of the path; gives the directory of what they log."""
    commands, state = tmp_path / "commands", tmp_path / "slurm"
    commands.mkdir()
    state.mkdir()
    for name, body in _COMMANDS.items():
        (commands / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_STATE", str(state))
    monkeypatch.setattr("pipeline.executors._POLL_SECONDS", 0.1)
    return state


def test_a_corpus_made_on_a_cluster_is_the_one_made_here(tmp_path: Path, slurm: Path) -> None:
    source = plant(4, 60).write(tmp_path / "made.jsonl")
    here = make(tmp_path / "here", source)
    there = make(tmp_path / "there", source, executor=Executor(kind="slurm", partition="cpu"))
    assert here.files and here.files == there.files
    assert "#SBATCH --partition=cpu" in next(slurm.glob("script.*")).read_text()


def test_a_job_that_ends_without_its_tasks_is_an_error(
    tmp_path: Path, slurm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # the job has to find this file
    with pytest.raises(GroundupError, match=r"1 of 4 tasks have not ended well; look at the logs"):
        run_step(_Fails(tmp_path), 4, Executor(kind="slurm", partition="cpu"), tmp_path / "marks")
    assert (tmp_path / "task-3").read_text() == "begun"


class _Fails(Step):
    def __init__(self, out: Path) -> None:
        super().__init__()
        self.out = out

    def work(self, task: int) -> None:
        (self.out / f"task-{task}").write_text("begun")
        if task == 3:
            raise GroundupError("task 3", "it fails", "mend it")


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_task_reaches_the_one_who_asked(tmp_path: Path, workers: int) -> None:
    with pytest.raises(GroundupError, match="task 3: it fails; mend it"):
        run_step(_Fails(tmp_path), 5, Executor(workers=workers), tmp_path / "marks")
    done = {mark.name for mark in (tmp_path / "marks" / "completions").iterdir()}
    assert done and "00003" not in done


def test_readers_registered_elsewhere_are_known_to_every_worker(tmp_path: Path) -> None:
    """A recipe file may register a source, and no other process has read that file."""
    recipe = tmp_path / "elsewhere.py"
    recipe.write_text(_RECIPE)
    try:
        corpus = load_recipe(str(recipe)).corpus
        builder = Builder(corpus, 0.2, 0, Executor(workers=2), Artifact(tmp_path / "corpus"))
        metrics = builder.build(tuple)
    finally:
        del INSTALLED["elsewhere"]
    assert metrics["documents"]["kept"] == 40
