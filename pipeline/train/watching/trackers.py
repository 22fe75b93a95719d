"""Experiment trackers that transformers reports to, such as TensorBoard and Trackio, beside our own log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.integrations import TensorBoardCallback

from pipeline.artifacts import Artifact
from pipeline.processes import is_main
from pipeline.train.faults.checkpoints import resumes_at

_TENSORBOARD = "tensorboard"


def tracker_arguments(report_to: Sequence[str], out: Artifact, row: str = "") -> dict[str, Any]:
    """Arguments of the Trainer: which trackers it makes by itself, and what they call this training.

    A stage that was made from other settings is another run, one that was cut off goes on as the same.
    """
    manifest = out.manifest()
    mark = out.fingerprint()[:8]
    names = [manifest.get("stage", out.path.name), row, mark]
    return {
        "report_to": [name for name in report_to if name != _TENSORBOARD] or "none",
        "project": manifest.get("recipe", out.path.parent.name),
        "run_name": " ".join(filter(None, names)),
    }


def tracker_callbacks(
    report_to: Sequence[str], out: Artifact, checkpoints: Path, row: str = ""
) -> list[TrainerCallback]:
    """TensorBoard's, told what the Trainer does not tell it: where its files go and the step it goes on from.

    Args:
        report_to: names of trackers.
        out: directory of the stage; event files go below it.
        checkpoints: of the training; points after the last one, of steps that are done again, are dropped.
        row: one of several trainings of the stage.
    """
    if _TENSORBOARD not in report_to:
        return []
    step = resumes_at(checkpoints)
    if not is_main():
        return []
    from torch.utils.tensorboard import SummaryWriter

    directory = out.path / _TENSORBOARD / row
    return [TensorBoardCallback(SummaryWriter(str(directory), purge_step=step + 1 if step else None))]
