"""Kill a run again and again, and compare what comes out with a run that nobody touched, byte for byte.

    python -m benchmarks.soak 100                # kills; writes benchmarks/results/soak.json
    python -m benchmarks.soak 20 compiled        # of a compiled, streamed training; soak-compiled.json
    python -m benchmarks.soak 20 --recipe my.py  # what follows the number is groundup run's; writes nothing

Without a recipe it is the tests' own, with more steps: a corpus, a tokenizer, pre-training and five tasks, each also
from random weights, in float32 and not compiled. The compiled one trains on a stream and for two tasks, in the
precision and with the threads that the machine takes. A kill (SIGKILL) comes after a random time, or, every second
time, while a checkpoint is being written. Reading data and predicting begin anew after a kill, so a recipe has to do
these between two. A process begins with all modules loaded, so that most of the time is the run's own.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.pages import ROOT, TRAINING, write_between
from pipeline.artifacts import LOG, PREDICTIONS, read_log, write_json
from pipeline.provenance import describe_hardware, hardware
from tests.forked import Forked, forked
from tests.small_recipe import write_data, write_recipe

RESULTS = ROOT / "benchmarks" / "results"
_COMPARED = "model.safetensors", "tokenizer.json", PREDICTIONS
_LOGGED = "loss", "grad_norm", "learning_rate", "eval_loss", "tokens", "samples"


@dataclass
class Survived:
    """What a run lived through, and what differs from one that lived through nothing."""

    kills: int = 0
    while_writing: int = 0
    """Of them, while a checkpoint was being written."""
    files: int = 0
    """That were compared."""
    different_files: tuple[str, ...] = ()
    different_lines: tuple[str, ...] = ()
    """Of the logs: the run, the step and the field."""
    seconds: float = 0.0
    untouched_seconds: float = 0.0


def soak(arguments: Sequence[str], kills: int, place: Path, seed: int = 0) -> Survived:
    """Run a command twice below ``place``: once untouched, and once killed until it has been ``kills`` times.

    Args:
        arguments: of ``groundup``, without ``--runs``.
        kills: at least so many; the run begins anew in another directory when it ends before them.
        place: an empty directory.
        seed: of the times of the kills, each within a fifth of what the untouched run takes.

    Raises:
        RuntimeError: when the command fails otherwise than by a kill.
    """
    chance, survived = random.Random(seed), Survived()
    whole = place / "whole"
    began = time.monotonic()
    untouched = _started(arguments, whole)
    if _ended(untouched) != 0:
        raise RuntimeError(untouched.text()[-2000:])
    survived.untouched_seconds = round(time.monotonic() - began, 1)
    longest = survived.untouched_seconds / 5
    began, turn = time.monotonic(), 0
    while survived.kills < kills:
        broken, turn = place / f"broken-{turn}", turn + 1
        while (code := _lived(arguments, broken, chance, longest, survived)) == -signal.SIGKILL:
            survived.kills += 1
        if code:
            said = broken / "said"
            raise RuntimeError("".join(file.read_text() for file in sorted(said.iterdir()))[-2000:])
        _compare(whole, broken, survived)
    survived.seconds = round(time.monotonic() - began, 1)
    return survived


def long_recipe(place: Path) -> Path:
    """The tests' tiny recipe with more steps, and its data, in a directory."""
    data = place / "data"
    write_data(data)
    recipe = write_recipe(data)
    text = recipe.read_text().replace("steps=4", "steps=12, checkpoint_every=3")
    recipe.write_text(text.replace("steps=6", "steps=40"))
    return recipe


def compiled_recipe(place: Path) -> Path:
    """The same for two tasks, after pre-training on a stream, all of it compiled."""
    recipe = long_recipe(place)
    data = recipe.parent
    stream = f'Stream(("{data}/reviews.csv", "{data}/summaries.jsonl"), weights=(3, 1), window=2000)'
    text = recipe.read_text().replace("import Corpus", "import Stream, Corpus")
    text = text.replace('compile="no"', f'compile="yes", stream={stream}').replace('"float32"', '"auto"')
    text = text.replace("quick = dict(", 'quick = dict(compile="yes", from_scratch=False, ')
    left_out = ('"translation"', '"qa"', '"summarization"')
    recipe.write_text("\n".join(line for line in text.splitlines() if not line.strip().startswith(left_out)))
    return recipe


RECIPES = {"soak": long_recipe, "soak-compiled": compiled_recipe}
"""By the name of what is written of them."""


def _started(arguments: Sequence[str], runs: Path) -> Forked:
    """A command in a process of its own, forked from one that has loaded what it needs."""
    return forked(runs / "said", "pipeline", *arguments, "--runs", runs)


def _ended(started: Forked, seconds: float | None = None) -> int | None:
    """The exit code, negative after a signal; None while it goes on after so many seconds."""
    (process,) = started.processes
    process.join(seconds)
    return process.exitcode


def _lived(
    arguments: Sequence[str], runs: Path, chance: random.Random, longest: float, survived: Survived
) -> int | None:
    """Start the command and kill it; its exit code, which is another where it was sooner done."""
    at_writing = chance.random() < 0.5
    started = _started(arguments, runs)
    end = time.monotonic() + chance.uniform(0, longest)
    while time.monotonic() < end:
        code = _ended(started, 0.01)
        if code is not None:
            return code
    while at_writing and not _writes(runs):
        code = _ended(started, 0.001)
        if code is not None:
            return code
    started.processes[0].kill()
    code = _ended(started)
    survived.while_writing += at_writing and code == -signal.SIGKILL
    return code


def _writes(runs: Path) -> bool:
    """Whether a checkpoint is being written; directories come and go while this looks, which os.walk does not mind."""
    return any(Path(directory).name == ".writing" and names for directory, names, _ in os.walk(runs))


def _compare(whole: Path, broken: Path, survived: Survived) -> None:
    files = {name: _hashes(name, whole) for name in _COMPARED}
    for name, expected in files.items():
        found = _hashes(name, broken)
        survived.files += len(expected)
        differ = [f for f in expected.keys() | found.keys() if expected.get(f) != found.get(f)]
        survived.different_files += tuple(sorted(differ))
    for log in sorted(whole.rglob(LOG)):
        place = log.relative_to(whole)
        one, other = (_lines(runs / place) for runs in (whole, broken))
        differ = [line for line in [*one, *other] if one.count(line) != other.count(line)]
        survived.different_lines += tuple(sorted({f"{place} {line}" for line in differ}))


def _hashes(name: str, runs: Path) -> dict[str, str]:
    return {
        str(file.relative_to(runs)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in runs.rglob(name)
        if "checkpoints" not in file.parts
    }


def _lines(log: Path) -> list[str]:
    return [
        f"{entry.get('run', '')} {entry['step']} {field} {entry[field]}"
        for entry in read_log(log)
        for field in _LOGGED
        if field in entry
    ]


def write_page(name: str, results: Mapping[str, Any]) -> None:
    """Write what came out into docs/training.md."""
    files, lines = len(results["different_files"]), len(results["different_lines"])
    write_between(
        TRAINING,
        name,
        f"{results['kills']} kills, {results['while_writing']} of them while a checkpoint was being written, on "
        f"{results['machine']}: of {results['files']} files that were compared {files or 'none'} differed, and "
        f"{lines or 'no'} lines of the logs. It took {results['seconds'] / 60:.0f} minutes; untouched, one run takes "
        f"{results['untouched_seconds'] / 60:.1f}.",
    )


def main(kills: int, words: Sequence[str]) -> None:
    """Soak, print, and write down what came out; the exit code says whether anything differs."""
    name = "-".join(["soak", *words])
    with tempfile.TemporaryDirectory() as place:
        own = RECIPES[name](Path(place)) if name in RECIPES else None
        survived = soak(["run", *(["--recipe", str(own)] if own else words)], kills, Path(place))
    results = {"machine": describe_hardware(hardware()), **asdict(survived)}
    if own:
        write_json(RESULTS / f"{name}.json", results)
        write_page(name, results)
    print(json.dumps(results, indent=2))
    if survived.different_files or survived.different_lines:
        sys.exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100, sys.argv[2:])
