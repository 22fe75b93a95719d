"""Write into docs/performance.md how many tokens a second Groundup trains on a CPU, beside others.

.venv/bin/python -m benchmarks.throughput [--rounds 7] [--steps 10] [--peers DIRECTORY]

All train the same model on the same tokens in the same batches and take turns in one run (benchmarks/turns.py):
plain ``Trainer`` in float32, LitGPT in both of its bfloat16 precisions, a bare loop with every trick, and Groundup.
The speed of a large bfloat16 matrix product is measured in every round. At the end, steps of Groundup are profiled.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.contest import Entrant, Scores, play, table
from benchmarks.pages import PERFORMANCE, ROOT, write_between
from benchmarks.peers import LITGPT, PEERS, litgpt
from benchmarks.turns import Contender, Training, Turn
from benchmarks.where_time_goes import by_kind, profile_table
from benchmarks.workload import config_of, padding, write_tokens
from pipeline.artifacts import write_json
from pipeline.model.cost import cost, measured_flops_per_second
from pipeline.model.machine import use_physical_cores
from pipeline.provenance import describe_hardware, hardware

RESULTS = ROOT / "benchmarks" / "results" / "throughput.json"
OURS = Entrant("groundup", "Groundup", "groundup_core")
ENTRANTS = (
    Entrant("trainer_fp32", "plain `Trainer`, float32, as in `run_clm.py`", "plain_trainer", aim=1.9),
    Entrant("litgpt_mixed", f"`litgpt pretrain` {LITGPT}, bf16-mixed", "litgpt_pretrain", "bf16-mixed", 1.6),
    Entrant("litgpt_true", f"`litgpt pretrain` {LITGPT}, bf16-true", "litgpt_pretrain", "bf16-true", 1.6),
    Entrant("bare", "bare PyTorch loop with every trick", "bare_loop", aim=0.97),
    OURS,
)
_PROFILED = 5


def training_on(tokens: Path) -> Training:
    """Six layers, 256 wide, vocabulary 8,192, rows of 256 tokens, 16 of them in a batch."""
    training = Training(str(tokens), "llama", 6, 256, 0, 8192, 256, 16, 16, "cpu")
    return replace(training, feed_forward=config_of(training).intermediate_size)


def start(entrant: Entrant, training: Training, peers: Path, logs: Path, **environment: str) -> Contender:
    """Start a contender; LitGPT in its own environment, with as many threads as those that set them have."""
    python = sys.executable
    if entrant.module == "litgpt_pretrain":
        python, environment = str(litgpt(peers)), {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    return Contender(entrant.name, entrant.command(python), training, logs, **environment)


def measure(training: Training, rounds: int, steps: int, peers: Path, logs: Path) -> Scores:
    """All contenders, in turn."""
    scores = Scores(
        training,
        cost(config_of(training), training.context).flops_per_token,
        {OURS.name: 1 - padding(training)},
        steps,
    )
    with ExitStack() as stack:
        contenders = []
        for entrant in ENTRANTS:
            contenders.append(start(entrant, training, peers, logs))
            stack.callback(contenders[-1].close)
            contenders[-1].ready()  # one after another: compiling is not to be hurried either
        play(contenders, scores, rounds, lambda: measured_flops_per_second(True, seconds=2.0))
    return scores


def profile(training: Training, peers: Path, logs: Path) -> Turn:
    """Steps of Groundup in a process of its own, whose compiled kernels tell what they take."""
    ours = start(OURS, training, peers, logs, TORCHINDUCTOR_CPP_ENABLE_KERNEL_PROFILE="1")
    ours.ready()
    turn = ours.train(_PROFILED, profiled=True)
    ours.close()
    return turn


def report(scores: Scores, profiled: Turn) -> str:
    """What stands in the page."""
    training, peak = scores.training, statistics.median(scores.peaks)
    return "\n".join(
        [
            f"Machine: {describe_hardware(hardware())}, {torch.get_num_threads()} threads; torch {version('torch')}, "
            f"transformers {version('transformers')}. A Llama of {training.depth} layers, width {training.width}, "
            f"vocabulary {training.vocabulary:,}, rows of {training.context} tokens, {training.batch} in a batch, "
            f"AdamW. {len(scores.peaks)} rounds in which each trains {scores.steps} steps; medians, with the least "
            "and the most of all rounds in brackets.",
            "",
            *table(scores, OURS, ENTRANTS),
            "",
            f"The peak is the speed of a product of two large bfloat16 matrices, measured in every round: "
            f"{peak / 1e9:.0f} GFLOP/s. The share is of what the model needs: {scores.flops_per_token / 1e6:.1f} "
            "MFLOP a token in the matrix products of a step, forward and backward, output layer included, attention "
            "with its whole square; elementwise work and the optimiser count as nothing. "
            f"Groundup's rows are packed documents that do not see each other; the {1 - scores.filled[OURS.name]:.1%} "
            "of them that is padding does not count as tokens.",
            "",
            "Where Groundup's time goes, by a profile of its steps:",
            "",
            *profile_table(profiled),
            *_missed(scores, by_kind(profiled)),
        ]
    )


def _missed(scores: Scores, spent: Mapping[str, float]) -> Iterator[str]:
    """What the aims that are not reached would take, beside what the matrix products leave."""
    lines = []
    for entrant in ENTRANTS:
        ratio = statistics.median(scores.ratios(OURS.name, entrant.name))
        if entrant.aim and ratio < entrant.aim:
            share = scores.utilisation(entrant.name) * entrant.aim
            lines.append(
                f"- Not reached: {entrant.aim:.2f} times {entrant.label} (it is {ratio:.2f}). "
                f"That would be {share:.0%} of the peak."
            )
    if not lines:
        return
    alone = scores.utilisation(OURS.name) / (spent["matrix products"] + spent["attention"])
    yield from ["", *lines]
    yield (
        f"- Were there nothing but the matrix products and the attention, as fast as they are in this model, it would "
        f"be {alone:.0%}: products 256 wide do not run as fast as large ones."
    )


def main(rounds: int, steps: int, peers: Path, results: Path, page: Path) -> None:
    """Measure; print the table, write it into the page, and all numbers as JSON."""
    use_physical_cores()
    with tempfile.TemporaryDirectory() as place:
        training = training_on(Path(place) / "tokenizer")
        write_tokens(training)
        scores = measure(training, rounds, steps, peers, Path(place))
        profiled = profile(training, peers, Path(place))
    text = report(scores, profiled)
    print(text)
    machine = {"machine": describe_hardware(hardware()), "torch": version("torch"), "litgpt": LITGPT}
    write_json(results, {**machine, **scores.as_json(OURS.name), "profile": by_kind(profiled)})
    write_between(page, "throughput", text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=10, help="optimiser steps of each in a round")
    parser.add_argument(
        "--peers", type=Path, default=PEERS, help="directory for other projects' environments"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="file for the JSON")
    parser.add_argument("--page", type=Path, default=PERFORMANCE, help="page for the tables")
    main(**vars(parser.parse_args()))
