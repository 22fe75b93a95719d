"""Write into docs/performance.md what share of a GPU's peak Groundup trains at, beside a bare compiled loop.

make bench-gpu, or: python -m benchmarks.gpu [--rounds 5] [--steps 10]

Needs torch, transformers, accelerate and tokenizers, and none of the project's other dependencies. Two GPT-2 models
from random weights, in bfloat16: that of the recipe gpt2_small, and one of 350 million parameters. The contenders take
turns in one run (benchmarks/turns.py); clocks are read when the GPU has done what it was given.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.contest import Entrant, Scores, play, table
from benchmarks.pages import PERFORMANCE, ROOT, write_between
from benchmarks.turns import Contender, Training, Turn
from benchmarks.where_time_goes import by_kind, profile_table
from benchmarks.workload import config_of, padding, write_tokens
from pipeline.artifacts import write_json
from pipeline.model.cost import Cost, cost
from pipeline.model.peak import peak_flops_per_second
from pipeline.provenance import describe_hardware, hardware

RESULTS = ROOT / "benchmarks" / "results" / "gpu.json"
OURS = Entrant("groundup", "Groundup", "groundup_core")
ENTRANTS = (Entrant("bare", "bare compiled loop", "bare_loop", aim=1.0), OURS)
SMALL = Training("", "gpt2", 12, 768, 0, 50_304, 1024, 64, 32, "cuda")
MEDIUM = replace(SMALL, depth=24, width=1024, micro_batch=16)
AIMS = (0.5, 0.6)
"""Share of the peak that the smaller model is to reach at least, and the larger one."""
_PROFILED = 3


def measure(training: Training, rounds: int, steps: int) -> tuple[Scores, dict[str, Turn]]:
    """Both contenders in turn, and a profiled turn of each afterwards."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        training = replace(training, tokens=str(Path(place) / "tokenizer"))
        write_tokens(training)
        scores = Scores(training, _cost(training).flops_per_token, {OURS.name: 1 - padding(training)}, steps)
        contenders = []
        for entrant in ENTRANTS:
            command = entrant.command(sys.executable)
            contenders.append(Contender(entrant.name, command, training, Path(place)))
            stack.callback(contenders[-1].close)
            contenders[-1].ready()
        play(contenders, scores, rounds, lambda: peak_flops_per_second(bfloat16=True))
        return scores, {some.name: some.train(_PROFILED, profiled=True) for some in contenders}


def _cost(training: Training) -> Cost:
    return cost(config_of(training), training.context)


def report(scores: Scores, profiles: dict[str, Turn], aim: float) -> Iterator[str]:
    """What the page says of one model."""
    training, peak = scores.training, statistics.median(scores.peaks)
    yield (
        f"{training.family}, {_cost(training).parameters / 1e6:.0f} million parameters ({training.depth} layers, width "
        f"{training.width}, vocabulary {training.vocabulary:,}), rows of {training.context:,} tokens, "
        f"{training.micro_batch} at a time, {training.batch} in a batch; aim: {aim:.0%} of the peak of "
        f"{peak / 1e12:.0f} TFLOP/s."
    )
    yield ""
    yield from table(scores, OURS, ENTRANTS)
    yield ""
    for entrant in ENTRANTS:
        turn = profiles[entrant.name]
        yield f"- {entrant.label} waited for data in {turn.waited / turn.seconds:.2%} of the time."
    yield ""
    yield "Where Groundup's time goes:"
    yield ""
    yield from profile_table(profiles[OURS.name])


def main(trainings: tuple[Training, ...], rounds: int, steps: int, results: Path, page: Path) -> None:
    """Measure every model; print the tables, write them into the page, and all numbers as JSON."""
    lines = [
        f"Machine: {describe_hardware(hardware())}; torch {version('torch')}, transformers {version('transformers')}. "
        f"{rounds} rounds in which each trains {steps} steps; medians, with the least and the most of all rounds in "
        "brackets. The share is model FLOPs utilisation: the model's matrix products, forward and backward, with "
        "attention's whole square, of the dense bfloat16 peak in the maker's data sheet, or where none is known of "
        "what a large matrix product reaches.",
    ]
    found: list[dict[str, Any]] = []
    for training, aim in zip(trainings, AIMS, strict=False):
        scores, profiles = measure(training, rounds, steps)
        lines += ["", *report(scores, profiles, aim)]
        found.append(
            scores.as_json(OURS.name)
            | {"data_wait": {name: turn.waited / turn.seconds for name, turn in profiles.items()}}
            | {"profile": by_kind(profiles[OURS.name])}
        )
    print("\n".join(lines))
    write_json(
        results, {"machine": describe_hardware(hardware()), "torch": version("torch"), "models": found}
    )
    write_between(page, "gpu", "\n".join(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="optimiser steps of each in a round")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="cpu: to try the script")
    parser.add_argument(
        "--depth", type=int, default=0, help="layers of one model, 64 wide each, to try the script"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="file for the JSON")
    parser.add_argument("--page", type=Path, default=PERFORMANCE, help="page for the tables")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("make bench-gpu: torch finds no GPU here, so there is nothing to measure", file=sys.stderr)
        sys.exit(2)
    models: tuple[Training, ...] = (SMALL, MEDIUM)
    if options.depth:
        tiny = replace(SMALL, depth=options.depth, width=64 * options.depth, vocabulary=512, context=64)
        models = (replace(tiny, batch=4, micro_batch=2, device=options.device),)
    main(models, options.rounds, options.steps, options.results, options.page)
