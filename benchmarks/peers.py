"""Other projects that are measured beside this one, each in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

PEERS = Path.home() / ".cache" / "groundup" / "peers"
LITGPT = "0.5.13"
_READY = "ready"


def litgpt(directory: Path) -> Path:
    """The interpreter of an environment with LitGPT and this environment's release of torch, made where it lacks.

    LitGPT needs an older huggingface_hub than transformers does, so both cannot be installed side by side.

    Args:
        directory: of the peers' environments.
    """
    return _environment(
        directory / f"litgpt-{LITGPT}",
        f"torch=={version('torch').partition('+')[0]}",
        f"litgpt=={LITGPT}",
        "torchmetrics",  # litgpt pretrain imports it
    )


def _environment(place: Path, *requirements: str) -> Path:
    python = place / "bin" / "python"
    if not (place / _READY).is_file():
        print(f"installing {', '.join(requirements)} into {place}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", *requirements], check=True)
        (place / _READY).touch()
    return python
