"""Where a result comes from: versions, commit, hardware. It goes into every manifest."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

_LIBRARIES = ("torch", "transformers", "datasets", "accelerate", "tokenizers", "evaluate", "huggingface_hub")


def provenance() -> dict[str, Any]:
    """Versions, git commit, hardware and the time, as plain JSON values."""
    return {
        "versions": {
            "groundup": _version("groundup"),
            "python": platform.python_version(),
            **{name: _version(name) for name in _LIBRARIES},
        },
        "git_commit": _git_commit(),
        "hardware": hardware(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def hardware() -> dict[str, Any]:
    """The machine: processor, cores this process may use, memory and accelerators with theirs, in GB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory, 1),
        "accelerators": _accelerators(),
    }


def describe_hardware(facts: dict[str, Any]) -> str:
    """The machine in a few words, for tables and cards."""
    words = f"{facts['cores']} cores of {facts['processor']}, {facts['memory_gb']:.0f} GB"
    return ", ".join([words, *(f"{a['name']} ({a['memory_gb']:.0f} GB)" for a in facts["accelerators"])])


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.is_file() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _accelerators() -> list[dict[str, Any]]:
    import torch

    devices = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return [{"name": d.name, "memory_gb": round(d.total_memory / 1e9, 1)} for d in devices]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run(
        [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None
