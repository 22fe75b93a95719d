"""A run that is killed again and again ends with the bytes of one that nobody touched."""

from __future__ import annotations

import random
import shutil
import time
from functools import partial
from pathlib import Path

import pytest

from benchmarks.soak import Survived, long_recipe, soak
from pipeline.artifacts import LOG, read_log
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
from tests.command_line import run_interpreter, run_two_processes
from tests.forked import Forked, forked


def test_kills_at_any_moment_change_nothing(tmp_path: Path) -> None:
    recipe = long_recipe(tmp_path)
    survived = soak(["run", "--recipe", str(recipe)], kills=8, place=tmp_path)
    assert survived.kills >= 8 and survived.files >= 9
    assert survived.different_files == () and survived.different_lines == ()


def test_the_comparison_sees_one_byte_and_one_line(tmp_path: Path) -> None:
    from benchmarks.soak import _compare

    for name in ("whole", "broken"):
        place = tmp_path / name / "tiny" / "pretrain"
        place.mkdir(parents=True)
        (place / "model.safetensors").write_bytes(b"weights")
        (place / LOG).write_text('{"step": 1, "loss": 2.0}\n')
    survived = Survived()
    _compare(tmp_path / "whole", tmp_path / "broken", survived)
    assert survived.files == 1 and not survived.different_files and not survived.different_lines
    (place / "model.safetensors").write_bytes(b"weightz")
    (place / LOG).write_text('{"step": 1, "loss": 2.0}\n' * 2)
    _compare(tmp_path / "whole", tmp_path / "broken", survived)
    assert survived.different_files == ("tiny/pretrain/model.safetensors",)
    assert survived.different_lines == ("tiny/pretrain/log.jsonl  1 loss 2.0",)


def _prepared(recipe: Path, place: Path) -> Path:
    """A runs directory with the finished corpus and tokenizer, and nothing trained."""
    run = Run(load_recipe(str(recipe)), place / "prepared")
    run.finish("tokenizer")
    return run.runs


def _copied(prepared: Path, runs: Path) -> Path:
    shutil.copytree(prepared, runs)
    return runs / "tiny" / "pretrain"


def _pretrain(recipe: Path, runs: Path, processes: int) -> Forked:
    """Begin to pre-train in one process or in two."""
    arguments = "pretrain", "--recipe", recipe, "--runs", runs
    return forked(runs / "said", "pipeline", *arguments, processes=processes, environment=ONE_THREAD)


def _killed_after(steps: int, job: Forked, log: Path) -> None:
    """Kill all processes of a job when the log has so many steps."""
    while job.runs() and len([e for e in read_log(log) if "loss" in e]) < steps:
        time.sleep(0.01)
    assert job.runs(), "it ended before it could be killed"
    job.kill()


ONE_THREAD = {"OMP_NUM_THREADS": "1"}
STREAM = 'stream=Stream(("DATA/reviews.csv", "DATA/summaries.jsonl"), weights=(3, 1), window=1500), '


def _streamed(recipe: Path) -> Path:
    """The same recipe, whose pre-training reads its text while it trains."""
    text = recipe.read_text().replace("import Corpus", "import Stream, Corpus")
    text = text.replace(
        "pretrain=Pretrain(", f"pretrain=Pretrain({STREAM.replace('DATA', str(recipe.parent))}"
    )
    recipe.write_text(text)
    return recipe


@pytest.mark.parametrize(("processes", "text"), [(1, "streamed"), (2, "streamed"), (2, "memory-mapped")])
def test_processes_that_are_killed_end_with_the_same_bytes(processes: int, text: str, tmp_path: Path) -> None:
    recipe, ends = long_recipe(tmp_path), []
    if text == "streamed":
        _streamed(recipe)
    corpus = _prepared(recipe, tmp_path)
    for name in ("whole", "killed"):
        out = _copied(corpus, tmp_path / name)
        if name == "killed":
            job = _pretrain(recipe, tmp_path / name, processes)
            _killed_after(random.Random(0).randint(5, 30), job, out / LOG)
        if name == "killed" or text == "memory-mapped":
            done = _pretrain(recipe, tmp_path / name, processes).ended()
        else:  # in other interpreters, with other seeds of hashes
            arguments = "pretrain", "--recipe", recipe, "--runs", tmp_path / name
            one, two = partial(run_interpreter, **ONE_THREAD), partial(run_two_processes, "pipeline")
            done = (one if processes == 1 else two)(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        ends.append((out / "model.safetensors").read_bytes())
    assert ends[0] == ends[1]
    assert [e["step"] for e in read_log(out / LOG) if "loss" in e] == list(range(1, 41))


def test_another_number_of_processes_goes_on_with_the_same_batches(tmp_path: Path) -> None:
    recipe = long_recipe(tmp_path)
    corpus = _prepared(recipe, tmp_path)
    whole = _copied(corpus, tmp_path / "whole")
    done = _pretrain(recipe, tmp_path / "whole", 2).ended()
    assert done.returncode == 0, done.stdout + done.stderr
    broken = _copied(corpus, tmp_path / "broken")
    _killed_after(15, _pretrain(recipe, tmp_path / "broken", 2), broken / LOG)
    done = _pretrain(recipe, tmp_path / "broken", 1).ended()
    assert done.returncode == 0, done.stderr
    assert "processes are 1, and were 2: global batches stay" in done.stdout
    losses = [[e["loss"] for e in read_log(out / LOG) if "loss" in e] for out in (whole, broken)]
    # Rounding grows over the steps; another batch at a step would be tens of times farther off.
    assert len(losses[0]) == 40 and losses[0] == pytest.approx(losses[1], abs=5e-3)
    assert losses[0][20:] != pytest.approx(losses[1][19:-1], abs=5e-2)
