"""The memory that the plan names beside what trainings take: the most that their process was resident.

    python -m benchmarks.memory runs             # every case; writes benchmarks/results/memory.json, docs/training.md
    python -m benchmarks.memory runs "chat"      # those with this in their name, in place of what was measured before

``runs`` is where the quickstart's corpus and tokenizer are made, or are from before. Each case is a process of its own
that trains a few steps, and of tasks another one that goes through the whole stage: predictions, baselines, intervals.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.pages import ROOT, TRAINING, write_between
from pipeline.artifacts import Artifact, read_json, write_json
from pipeline.overrides import override
from pipeline.plan.needs import needs_of
from pipeline.plan.tables import size
from pipeline.provenance import describe_hardware, hardware
from pipeline.recipe import Recipe
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
from pipeline.train.data.reading import read_apart

RESULTS = ROOT / "benchmarks" / "results" / "memory.json"
_TASKS = ("sentiment", "translation", "qa", "summarization", "chat")
_SHORT = {"pretrain": ("--pretrain.steps", "3"), "finetune": ("--finetune.steps", "4")}
_PLAIN = ("--pretrain.compile", "no", "--pretrain.precision", "float32")
_LARGE = (
    "--model.depth", "8", "--model.width", "512", "--model.context", "256",
    "--pretrain.micro-batch", "8", "--pretrain.global-batch", "8",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A training: the stage, and what is set otherwise than in the quickstart."""

    name: str
    stage: str
    arguments: tuple[str, ...] = ()


CASES = (
    Case("pre-training, as the quickstart has it", "pretrain", ("--pretrain.compile", "yes")),
    *(Case(f"{task}, as the quickstart has it", f"finetune/{task}") for task in _TASKS),
    Case("qa, compiled, as its whole training is", "finetune/qa", ("--finetune.compile", "yes")),
    Case("pre-training, not compiled", "pretrain", ("--pretrain.compile", "no")),
    Case("pre-training, float32", "pretrain", _PLAIN),
    Case("pre-training, float32, AdamW, micro-batch 4", "pretrain",
         (*_PLAIN, "--pretrain.optimizer", "adamw", "--pretrain.micro-batch", "4")),
    Case("pre-training, 8 layers, 512 wide", "pretrain", (*_LARGE, "--pretrain.compile", "no")),
    Case("chat, LoRA", "finetune/chat", ("--finetune.adapter.kind", "lora")),
)  # fmt: skip


_START = Case("what the tasks start from", "pretrain", ("--pretrain.steps", "4", "--pretrain.compile", "no"))


def recipe_of(case: Case) -> Recipe:
    """The quickstart with the case's settings."""
    recipe = load_recipe("quickstart")
    short = _SHORT[case.stage.partition("/")[0]]
    changed = override("memory", recipe, [*short, *case.arguments], list(recipe.tasks), {}, [])
    return replace(changed, name="memory", watch=replace(changed.watch, energy=False))


def train(case: Case, runs: Path, start: str) -> None:
    """Train a few steps, and print what the process took at the most."""
    from pipeline.train.faults.resuming import train_or_resume

    run = Run(recipe_of(case), runs)
    with tempfile.TemporaryDirectory() as place:
        out = Artifact(Path(place))
        if case.stage == "pretrain":
            from pipeline.model.published import load_tokenizer
            from pipeline.train.pretrain import trainer_for

            tokens = run.artifact("tokenizer").path
            tokenizer = load_tokenizer(str(tokens))
            trainer: Any = trainer_for(run.recipe, tokenizer, tokens / "shards", out, eval_strategy="no")
        else:
            from pipeline.train.finetune import MODEL, bench_for

            task, recipe = case.stage.partition("/")[2], run.recipe
            bench, model = bench_for(
                task, recipe.tasks[task], start, recipe.held_out, recipe.seed, out, recipe.watch
            )
            trainer = bench.trainer(MODEL, model, out.checkpoints)
        print(json.dumps({"before": _resident("VmRSS")}))
        train_or_resume(trainer, out.checkpoints)
    print(json.dumps({"measured": _resident("VmHWM")}))


def finish(case: Case, start: str) -> None:
    """Go through the whole stage of a task after as few steps, and print what the process took at the most."""
    recipe, task = recipe_of(case), case.stage.partition("/")[2]
    settings = replace(recipe.tasks[task], model=start)
    with tempfile.TemporaryDirectory() as place:
        Run(replace(recipe, tasks={task: settings}), Path(place)).finish(case.stage)
    print(json.dumps({"stage_measured": _resident("VmHWM")}))


def _resident(field: str) -> int:
    """Bytes: now (VmRSS), or at the most so far (VmHWM)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024


def measure(case: Case, runs: Path, start: str) -> dict[str, Any]:
    """What the plan says of a case, and what its process took."""
    told = _printed(case, runs, start, "training")
    if case.stage != "pretrain":
        told |= _printed(case, runs, start, "stage")
    recipe, task = Run(recipe_of(case), runs).recipe, case.stage.partition("/")[2]
    settings = {task: recipe.tasks[task]} if task else {}
    readings = {n: read_apart(n, s, recipe.held_out, recipe.seed) for n, s in settings.items()}
    need = next(need for need in needs_of(recipe, readings) if need.stage == case.stage)
    return {**asdict(case), "parameters": need.parameters, "planned": round(need.memory.total), **told}


def _printed(case: Case, runs: Path, start: str, part: str) -> dict[str, int]:
    """What a process that goes through the training, or the stage, prints."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", str(runs), case.name, start],
        env={**os.environ, "MEMORY_CASE": part}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found: dict[str, int] = {}
    for line in done.stdout.splitlines():
        found |= json.loads(line) if line.startswith("{") else {}
    return found


def write_page(results: dict[str, Any]) -> None:
    """Write the table into docs/training.md."""
    rows = [
        f"| {row['name']} | {row['parameters'] / 1e6:.1f} M | {size(row['planned'])} | "
        f"{size(row.get('stage_measured', row['measured']))} | "
        f"{row['planned'] / row.get('stage_measured', row['measured']) - 1:+.0%} | {size(row['measured'])} |"
        for row in results["cases"]
    ]
    head = [
        "| stage | parameters | planned | measured | | while it trains |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    write_between(TRAINING, "memory", "\n".join([f"On {results['machine']}:", "", *head, *rows]))


def main(runs: Path, named: Sequence[str]) -> None:
    """Measure the cases, all or one, and write them down when all are there."""
    if part := os.environ.get("MEMORY_CASE"):
        case = next(case for case in CASES if case.name == named[0])
        if part == "stage":
            finish(case, named[1])
        else:
            train(case, runs, named[1])
        return
    start = str(Run(recipe_of(_START), runs).finish("pretrain").path)
    chosen = [case for case in CASES if not named or named[0] in case.name]
    found = []
    for case in chosen:
        found.append(measure(case, runs, start))
        print(json.dumps(found[-1]), flush=True)
    machine = describe_hardware(hardware())
    if named:
        before = read_json(RESULTS)
        if before["machine"] != machine:
            raise SystemExit(
                f"the other cases were measured on {before['machine']}; measure all of them here"
            )
        rows = {row["name"]: row for row in [*before["cases"], *found]}
        found = [rows[case.name] for case in CASES if case.name in rows]
    results = {"machine": machine, "cases": found}
    write_json(RESULTS, results)
    write_page(results)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
