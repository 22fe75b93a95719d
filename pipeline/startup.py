"""How long it took to get to work: since the process began, or since it ended its last piece of work."""

from __future__ import annotations

import os
import time
from pathlib import Path

_STARTTIME = 19
"""Place of the process's start, in clock ticks since boot, after the name in /proc/self/stat (man 5 proc)."""

_imported = time.monotonic()
_since: float | None = None


def startup_seconds() -> float:
    """Since the process began, interpreter and imports included, or since the last ``work_ended``."""
    return _age() if _since is None else time.monotonic() - _since


def work_ended() -> None:
    """What was done up to now is no part of the next start-up."""
    global _since
    _since = time.monotonic()


def _age() -> float:
    """Of this process; where Linux does not tell it, of this module."""
    stat = Path("/proc/self/stat")
    if not stat.is_file():
        return time.monotonic() - _imported
    ticks = int(stat.read_text().rpartition(")")[2].split()[_STARTTIME])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
