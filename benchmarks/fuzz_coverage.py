"""Let atheris look for inputs of one target by the code that they reach; it stops at the first crash.

    python -m benchmarks.fuzz_coverage .csv                # until Ctrl-C
    python -m benchmarks.fuzz_coverage qa -runs=20000      # what follows the target is libFuzzer's

The inputs are those of tests/bad_input/fuzzing.py: atheris gives the bytes that Hypothesis draws from.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import atheris

with atheris.instrument_imports(
    include=["pipeline.sources", "pipeline.tasks", "pipeline.checks", "pipeline.model.messages"]
):
    from tests.bad_input.fuzzing import TARGETS

from hypothesis import HealthCheck, given, settings


def main(target: str, arguments: list[str]) -> None:
    """Fuzz one target."""
    inputs, work = TARGETS[target]
    counts: Counter[str] = Counter()
    test: Any = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))(
        given(inputs)(lambda value: work(value, counts))
    )
    atheris.Setup([sys.argv[0], *arguments], test.hypothesis.fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".csv", sys.argv[2:])
