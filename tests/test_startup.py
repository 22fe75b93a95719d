"""Start-up: from the first moment of the process, and anew after a piece of work."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.command_line import ROOT

_SCRIPT = """
import time
time.sleep(0.3)
from pipeline.startup import startup_seconds, work_ended
print(startup_seconds())
work_ended()
print(startup_seconds())
"""


def test_start_up_counts_from_the_start_of_the_process_or_the_end_of_work() -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    first, second = map(float, done.stdout.split())
    assert 0.3 < first < time.monotonic() - began + 0.02  # Linux tells the start in hundredths of a second
    assert 0 <= second < 0.3
