"""Feed the readers, the tasks and the settings with inputs that are nearly right; none may end in a crash.

    python -m benchmarks.fuzz           # 100,000 inputs; writes benchmarks/results/fuzz.json
    python -m benchmarks.fuzz 2000      # fewer

What is drawn, and what has to hold, is in tests/bad_input/fuzzing.py. An input that takes more than ``_SECONDS``, or a
process of more than ``_BYTES``, counts as a crash. Each run draws other inputs; its seed is in the result.
"""

from __future__ import annotations

import multiprocessing
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from benchmarks.pages import DATA_SOURCES, ROOT, write_between
from pipeline.artifacts import write_json
from pipeline.provenance import describe_hardware, hardware
from tests.bad_input.fuzzing import TARGETS

RESULTS = ROOT / "benchmarks" / "results" / "fuzz.json"
_SECONDS = 60
_BYTES = 16 * 2**30
_AT_A_TIME = 2000
"""Inputs of one call of Hypothesis, which remembers all of them."""
_SHARES = {"arguments": 0.05, "recipes": 0.2, ".html": 0.3, ".warc": 0.3, ".warc.gz": 0.3}
"""Of what takes long, beside 1 for each other target."""


def test_of(target: str, counts: Counter[str], inputs: int) -> Callable[[], None]:
    """A Hypothesis test that draws so many inputs of a target."""
    drawn, work = TARGETS[target]

    @settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(drawn)
    def test(value: Any) -> None:
        signal.alarm(_SECONDS)
        try:
            work(value, counts)
        finally:
            signal.alarm(0)

    return test


def fuzz(inputs: int, start: int) -> dict[str, dict[str, int]]:
    """Draw inputs of every target, on all cores.

    Args:
        inputs: of all targets together, a few more or less.
        start: the seed.

    Returns:
        By target, how many inputs were taken, refused, and ended in a crash: of each kind the first alone counts.
    """
    each = inputs / sum(_SHARES.get(target, 1) for target in TARGETS)
    jobs = [(target, round(each * _SHARES.get(target, 1)), start) for target in TARGETS]
    with multiprocessing.get_context("spawn").Pool(initializer=_bounded) as pool:
        return dict(pool.imap_unordered(_fuzzed, jobs))


def _bounded() -> None:
    signal.signal(signal.SIGALRM, _too_long)
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))


def _fuzzed(job: tuple[str, int, int]) -> tuple[str, dict[str, int]]:
    target, left, start = job
    counts: Counter[str] = Counter()
    crashes = 0
    while left > 0:
        test = test_of(target, counts, min(left, _AT_A_TIME))
        left -= _AT_A_TIME
        try:
            seed(start + left)(test)()
        except Exception as error:  # whatever it is, it is what is looked for
            crashes += 1
            print("".join([f"{target}: {error!r}\n", *getattr(error, "__notes__", [])]), flush=True)
    found = {"taken": counts["taken"], "refused": counts["refused"], "crashes": crashes}
    print(target, found, flush=True)
    return target, found


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"an input took more than {_SECONDS} seconds")


def write_page(results: Mapping[str, Any]) -> None:
    """Write what came out into docs/data-sources.md."""
    write_between(
        DATA_SOURCES,
        "fuzz",
        f"{results['inputs']:,} inputs on {results['machine']}, in {results['seconds'] / 60:.0f} minutes: "
        f"{results['taken']:,} were taken, {results['refused']:,} refused in one line, "
        f"{results['crashes'] or 'none'} ended otherwise.",
    )


def main(inputs: int) -> None:
    """Fuzz, print, and write down what came out; the exit code says whether anything crashed."""
    began, start = time.monotonic(), random.randrange(2**32)
    targets = fuzz(inputs, start)
    sums = {name: sum(t[name] for t in targets.values()) for name in ("taken", "refused", "crashes")}
    results = {
        "machine": describe_hardware(hardware()),
        "seed": start,
        "inputs": sums["taken"] + sums["refused"] + sums["crashes"],
        "seconds": round(time.monotonic() - began, 1),
        **sums,
        "targets": dict(sorted(targets.items())),
    }
    write_json(RESULTS, results)
    write_page(results)
    if sums["crashes"]:
        sys.exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
