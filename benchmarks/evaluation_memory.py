"""Whether evaluation takes more memory the more examples there are: each task on some and on many of them.

    python -m benchmarks.evaluation_memory                 # 2,000 and 50,000; benchmarks/results/evaluation_memory.json
    python -m benchmarks.evaluation_memory 100 1000 qa     # other numbers and one task, printed

Each is ``groundup finetune`` in a process of its own: one step of a tiny model, then made-up held-out rows, from
reading them to baselines, intervals and files. What it takes at the most is what it was resident (ru_maxrss).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.pages import ROOT, TRAINING, write_between
from pipeline.artifacts import write_json
from pipeline.provenance import describe_hardware, hardware
from tests.small_recipe import NOUNS, write_data, write_recipe

RESULTS = ROOT / "benchmarks" / "results" / "evaluation_memory.json"
FEW, MANY = 2_000, 50_000
_QUICK = ("--finetune.no-from-scratch", "--finetune.steps", "1", "--finetune.max-new-tokens", "2")
_VOCABULARY, _TOKENS = 400, 20
"""Of the tiny model, and about how long its examples are: what their logits would take."""


def _review(number: int) -> dict[str, Any]:
    return {
        "text": f"The {NOUNS[number % 10]} was seen {number} times.",
        "label": ("negative", "positive")[number % 2],
    }


def _pair(number: int) -> dict[str, Any]:
    return {
        "source": f"Open {NOUNS[number % 10]} {number}",
        "target": f"Ouvrir {NOUNS[number % 10]} {number}",
    }


def _question(number: int) -> dict[str, Any]:
    context = f"The {NOUNS[number % 10]} weighs {number} grams."
    answer = {"text": [f"{number} grams"], "answer_start": [context.index(str(number))]}
    return {"id": str(number), "context": context, "question": "How much?", "answers": answer}


def _summary(number: int) -> dict[str, Any]:
    return {
        "text": f"The {NOUNS[number % 10]} of day {number} was long.",
        "summary": f"A {NOUNS[number % 10]}.",
    }


def _conversation(number: int) -> dict[str, Any]:
    asked, answered = f"Did you see the {NOUNS[number % 10]} {number}?", "Yes, I did."
    return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]}


ROWS: Mapping[str, Callable[[int], dict[str, Any]]] = {
    "sentiment": _review,
    "translation": _pair,
    "qa": _question,
    "summarization": _summary,
    "chat": _conversation,
}
"""A row of each task's data, by its number."""


def measure(task: str, counts: Sequence[int], place: Path) -> dict[str, Any]:
    """The most that a process takes with each number of held-out rows, in bytes."""
    recipe, start = place / "data" / "tiny.py", place / "runs" / "tiny" / "pretrain"
    peaks = []
    for count in counts:
        rows = place / f"{task}-{count}.jsonl"
        with rows.open("w") as file:
            file.writelines(json.dumps(ROWS[task](number)) + "\n" for number in range(count))
        named = {"--recipe": recipe, "--runs": place / str(count), "--model": start, "--eval-data": rows}
        words = [str(word) for pair in named.items() for word in pair]
        peaks.append(_groundup("finetune", "--task", task, *words, *_QUICK))
    return {
        "task": task,
        "examples": list(counts),
        "bytes": peaks,
        "bytes_an_example": _growth(counts, peaks),
    }


def _growth(counts: Sequence[int], peaks: Sequence[int]) -> int:
    return round((peaks[-1] - peaks[0]) / (counts[-1] - counts[0]))


def _groundup(*arguments: str) -> int:
    """Run a command; the most bytes that its process was resident."""
    job = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=ROOT, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, used = os.wait4(job.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_maxrss * 1024


def write_page(results: Mapping[str, Any]) -> None:
    """Write the table into docs/training.md."""
    few, many = results["tasks"][0]["examples"]
    rows = [
        f"| {row['task']} | {row['bytes'][0] / 1e6:.0f} MB | {row['bytes'][1] / 1e6:.0f} MB | "
        f"{row['bytes_an_example'] / 1e3:.1f} kB |"
        for row in results["tasks"]
    ]
    head = [f"| | {few:,} examples | {many:,} examples | an example |", "| --- | ---: | ---: | ---: |"]
    told = f"Logits would take some {_VOCABULARY * _TOKENS * 4 / 1e3:.0f} kB an example. On {results['machine']}:"
    write_between(TRAINING, "evaluation-memory", "\n".join([told, "", *head, *rows]))


def main(words: Sequence[str]) -> None:
    """Measure, print, and write down what came out of all tasks."""
    counts = [int(word) for word in words if word.isdigit()] or [FEW, MANY]
    tasks = [word for word in words if not word.isdigit()] or list(ROWS)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        write_data(place / "data")
        write_recipe(place / "data")
        _groundup("pretrain", "--recipe", str(place / "data" / "tiny.py"), "--runs", str(place / "runs"))
        found = []
        for task in tasks:
            found.append(measure(task, counts, place))
            print(json.dumps(found[-1]), flush=True)
    results = {"machine": describe_hardware(hardware()), "tasks": found}
    if not words:
        write_json(RESULTS, results)
        write_page(results)


if __name__ == "__main__":
    main(sys.argv[1:])
