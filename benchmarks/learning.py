"""Write what is learnt in how much time into docs/performance.md: Groundup beside nanoGPT's defaults.

.venv/bin/python -m benchmarks.learning runs/quickstart [ROUNDS]

All train on the token shards of a finished run's tokenizer stage, with the same depth, width and context, on this
machine, in processes of their own, one after another in turn: ``recipes/nanogpt.py`` as it is, the same with the best
of several learning rates, where another is best, and the quickstart's way (its family, optimiser, schedule and
precision) with as many steps as fit two shares of the time that nanoGPT's defaults took. Each is measured on the same
held-out text. A training that is done is not done again: remove ``runs/learning`` to begin anew.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from matplotlib.figure import Figure

from benchmarks.pages import PERFORMANCE, ROOT, write_between
from pipeline.artifacts import Artifact, read_json, write_json
from pipeline.model.scaling import resolved
from pipeline.provenance import describe_hardware, hardware
from pipeline.recipe import Model, Precision, Pretrain, Recipe
from pipeline.recipe_files import load_recipe
from pipeline.settings import as_settings, from_settings

RATES = (3e-4, 1e-3, 2e-3)
"""Peak rates of the sweep, beside nanoGPT's own."""
SHARES = {"Groundup, shorter": 0.2, "Groundup, longer": 0.55}
"""Of the time of nanoGPT's defaults, a little less than is aimed at, as the machine's speed is not steady."""
AIM, AIM_TUNED = 0.25, 0.6
"""Shares of the time in which to reach what the defaults, and what the tuned rate, end at."""
DEFAULTS, TUNED = "nanoGPT's defaults", "nanoGPT, rate tuned"
RESULTS = ROOT / "benchmarks" / "results" / "learning.json"
PICTURE = ROOT / "docs" / "learning.svg"
_BATCHES_BETWEEN = 20
"""Steps between two measurements; their time is not counted as training."""


@dataclass(frozen=True)
class Outcome:
    """One training: its end, and the way there."""

    bits_per_byte: float
    seconds: float
    curve: list[tuple[int, float, float, float]]
    """Step, tokens, seconds and held-out bits per byte at each measurement."""


def train(recipe: Recipe, tokenizer: Path, out: Path) -> Outcome:
    """Train in a process of its own; what was trained before into the same directory is read."""
    if not (out / "metrics.json").is_file():
        out.mkdir(parents=True, exist_ok=True)
        write_json(
            out / "settings.json",
            {
                "seed": recipe.seed,
                "model": as_settings(recipe.model),
                "pretrain": as_settings(recipe.pretrain),
            },
        )
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.learning", "--one", str(out), str(tokenizer)],
            cwd=ROOT,
            env=os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(out / "compiled")},  # each compiles anew
            check=False,
        )
        if done.returncode:
            sys.exit(done.returncode)
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    paces = {line["step"]: (line["tokens"], line["seconds"]) for line in lines if "seconds" in line}
    curve = [
        (line["step"], *paces[line["step"]], line["bits_per_byte"])
        for line in lines
        if "bits_per_byte" in line and line["step"] in paces
    ]
    metrics = json.loads((out / "metrics.json").read_text())
    return Outcome(metrics["bits_per_byte"], metrics["seconds"], curve)


def _train_here(out: Path, tokenizer: Path) -> None:
    from pipeline.train.pretrain import pretrain

    made = read_json(out / "settings.json")
    recipe = Recipe(
        seed=made["seed"],
        model=from_settings(Model, made["model"]),
        pretrain=from_settings(Pretrain, made["pretrain"]),
    )
    write_json(out / "metrics.json", dict(pretrain(recipe, tokenizer, Artifact(out))["model"]))


def contenders(quickstart: Recipe, nanogpt: Recipe) -> tuple[Recipe, Recipe]:
    """Both recipes at the quickstart's size, measured alike; nanoGPT in the precision of its train.py."""
    precision: Precision = "auto" if torch.cuda.is_available() else "float32"
    theirs = replace(
        nanogpt,
        model=replace(
            nanogpt.model,
            depth=quickstart.model.depth,
            width=quickstart.model.width,
            context=quickstart.model.context,
        ),
        pretrain=_often_measured(
            replace(nanogpt.pretrain, precision=precision, compile="yes", attention="sdpa")
        ),
    )
    return replace(quickstart, pretrain=_often_measured(quickstart.pretrain)), theirs


def _often_measured(settings: Pretrain) -> Pretrain:
    return replace(
        settings,
        prompts=(),
        evaluate_every=_BATCHES_BETWEEN,
        log_every=_BATCHES_BETWEEN,
        checkpoint_every=10**9,
    )


def within(ours: Recipe, seconds: float, pace: float, start: float) -> Recipe:
    """Ours with as many steps as fit a time.

    Args:
        seconds: the time.
        pace: seconds of one step.
        start: seconds of compiling.
    """
    return replace(ours, pretrain=replace(ours.pretrain, steps=max(1, int((seconds - start) / pace))))


def measure(run: Path, seeds: int, work: Path) -> tuple[dict[str, list[Outcome]], dict[float, float]]:
    """Every contender with every seed, in turn; the rates of the sweep, by bits per byte, with the first seed."""
    tokenizer = run / "tokenizer"
    ours, theirs = contenders(resolved(load_recipe("quickstart")), resolved(load_recipe("nanogpt")))
    outcomes: dict[str, list[Outcome]] = {name: [] for name in (DEFAULTS, *SHARES)}

    def go(name: str, recipe: Recipe, seed: int) -> Outcome:
        return train(replace(recipe, seed=seed), tokenizer, work / re.sub(r"[^\w.]+", "-", name) / str(seed))

    outcomes[DEFAULTS].append(go(DEFAULTS, theirs, 0))
    trial = go("trial", replace(ours, pretrain=replace(ours.pretrain, steps=2 * _BATCHES_BETWEEN)), 0)
    (_, _, first, _), (_, _, second, _) = trial.curve[:2]
    pace = (second - first) / _BATCHES_BETWEEN
    budgets = {
        name: within(ours, share * outcomes[DEFAULTS][0].seconds, pace, first - _BATCHES_BETWEEN * pace)
        for name, share in SHARES.items()
    }
    for name, recipe in budgets.items():
        outcomes[name].append(go(name, recipe, 0))
    sweep = {theirs.pretrain.learning_rate: outcomes[DEFAULTS][0]} | {
        rate: go(f"rate {rate:g}", replace(theirs, pretrain=replace(theirs.pretrain, learning_rate=rate)), 0)
        for rate in RATES
    }
    best = min(sweep, key=lambda rate: sweep[rate].bits_per_byte)
    in_turn = {DEFAULTS: theirs, **budgets}
    if best != theirs.pretrain.learning_rate:
        outcomes[TUNED] = [sweep[best]]
        in_turn[TUNED] = replace(theirs, pretrain=replace(theirs.pretrain, learning_rate=best))
    for seed in range(1, seeds):
        for name, recipe in in_turn.items():
            outcomes[name].append(go(name, recipe, seed))
    return outcomes, {rate: outcome.bits_per_byte for rate, outcome in sorted(sweep.items())}


def table(outcomes: Mapping[str, list[Outcome]], sweep: Mapping[float, float]) -> Iterator[str]:
    """The rows of the page."""
    yield "| | held-out bits per byte, by seed | tokens | seconds, by seed | of the time of the defaults |"
    yield "| --- | --- | ---: | --- | ---: |"
    for name, some in outcomes.items():
        bits = ", ".join(f"{outcome.bits_per_byte:.3f}" for outcome in some)
        seconds = ", ".join(f"{outcome.seconds:.0f}" for outcome in some)
        tokens = some[0].curve[-1][1]
        yield f"| {name} | {bits} | {tokens:,.0f} | {seconds} | {_share(some, outcomes[DEFAULTS]):.2f} |"
    yield ""
    yield (
        "nanoGPT's recipe with other peak rates, first seed: "
        + ", ".join(f"{bits:.3f} at {rate:g}" for rate, bits in sweep.items())
        + "."
    )
    yield ""
    tuned = outcomes.get(TUNED, outcomes[DEFAULTS])
    yield _reached("what nanoGPT's defaults end at", AIM, outcomes, outcomes[DEFAULTS])
    yield _reached("what the best rate of the sweep ends at", AIM_TUNED, outcomes, tuned)


def _share(some: Sequence[Outcome], others: Sequence[Outcome]) -> float:
    """Median, over the seeds, of one's time as a share of another's."""
    return statistics.median(one.seconds / other.seconds for one, other in zip(some, others, strict=True))


def _reached(what: str, aim: float, outcomes: Mapping[str, list[Outcome]], rival: Sequence[Outcome]) -> str:
    """The shorter of Groundup's trainings that is level with a rival with every seed."""
    for name in SHARES:
        ends = zip(outcomes[name], rival, strict=True)
        if all(ours.bits_per_byte <= theirs.bits_per_byte for ours, theirs in ends):
            share = _share(outcomes[name], rival)
            return f"- {name} is below {what} with every seed, in {share:.2f} of its time (aim: {aim})."
    return f"- No training of Groundup is below {what} with every seed."


def draw(outcomes: Mapping[str, list[Outcome]]) -> None:
    """The curves over steps, tokens and seconds, a line a seed."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    for number, (name, some) in enumerate(outcomes.items()):
        for seed, outcome in enumerate(some):
            bits = [point[3] for point in outcome.curve]
            for panel, column in zip(panels, range(3), strict=True):
                panel.plot(
                    [point[column] for point in outcome.curve],
                    bits,
                    color=f"C{number}",
                    linewidth=1,
                    label=name if seed == 0 else None,
                )
    for panel, what in zip(panels, ("steps", "tokens", "seconds"), strict=True):
        panel.set_xlabel(what)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("held-out bits per byte")
    panels[2].legend(fontsize=8)
    figure.savefig(PICTURE)


def main(run: Path, seeds: int) -> None:
    """Measure, and write the table, the picture and the JSON."""
    outcomes, sweep = measure(run, seeds, ROOT / "runs" / "learning")
    write_json(
        RESULTS,
        {
            "machine": describe_hardware(hardware()),
            "sweep": {str(rate): bits for rate, bits in sweep.items()},
            "outcomes": {name: [vars(outcome) for outcome in some] for name, some in outcomes.items()},
        },
    )
    lines = list(table(outcomes, sweep))
    print("\n".join(lines))
    draw(outcomes)
    machine = f"Machine: {describe_hardware(hardware())}; {seeds} seeds."
    write_between(PERFORMANCE, "learning", "\n".join([machine, "", *lines, "", "![curves](learning.svg)"]))


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        _train_here(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
