"""A training let no more than so much memory from its first step on; as a program it leaves its outcome in a file."""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, TrainerCallback, set_seed

from pipeline.errors import CutOff
from pipeline.model.families import model_config
from pipeline.model.machine import Choice
from pipeline.model.published import set_attention
from pipeline.processes import rank, world_size
from pipeline.recipe import Model, Pretrain
from pipeline.train.arguments import training_arguments
from pipeline.train.faults.halving import parts_of
from pipeline.train.faults.resuming import train_or_resume
from pipeline.train.optimizer import optimizer_factory
from pipeline.train.trainer import CausalTrainer

LENGTH, GLOBAL_BATCH, MICRO_BATCH, STEPS, MEASURED = 512, 16, 8, 2, 32


@dataclass(frozen=True)
class Outcome:
    """What came of a training, in a process."""

    losses: list[float]
    """Of each step."""
    tokens: int
    rows: list[int]
    """That went through the model together, in each forward pass of the training that came to its end."""
    held_out: float
    held_out_rows: list[int]


class Limit(TrainerCallback):
    """The system's own limit: what the process has when its training begins, and so many bytes beside."""

    def __init__(self, spare: int) -> None:
        self.spare = spare

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        if self.spare:
            status = Path("/proc/self/status").read_text()
            held = int(status.partition("VmData:")[2].split()[0]) * 1024
            resource.setrlimit(resource.RLIMIT_DATA, (held + self.spare, resource.RLIM_INFINITY))


def limited(directory: Path, spare: int = 0) -> Outcome:
    """A few steps of a tiny model on rows whose attention takes far more memory than its weights, and a measurement.

    Args:
        directory: for checkpoints.
        spare: bytes that the process is let beside what it has before the first step; 0 lets it all.
    """
    set_seed(0)
    config = model_config(Model(depth=1, width=64, heads=4, context=LENGTH), 128)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    set_attention(model, "eager")
    ids = torch.randint(1, 128, (STEPS * GLOBAL_BATCH, LENGTH))
    ids[::3, LENGTH // 2 :] = ids[::3, :1]  # so that the rows of a batch differ in their loss
    data = [{"input_ids": row, "labels": row} for row in ids]
    settings = Pretrain(
        steps=STEPS, global_batch=GLOBAL_BATCH, micro_batch=MICRO_BATCH, optimizer="adamw", learning_rate=1e-3
    )
    choice = Choice(bfloat16=False, compiles=False, attention="eager")
    checkpoints = directory / "checkpoints"
    trainer = CausalTrainer(
        model,
        bits_per_nat=1.0,
        z_loss=0.0,
        args=training_arguments(settings, choice, checkpoints, seed=0, per_device_eval_batch_size=MEASURED),
        train_dataset=data,
        eval_dataset=data[:MEASURED],
        optimizer_cls_and_kwargs=optimizer_factory(settings),
        callbacks=[Limit(spare)],
        parts=parts_of("pretrain", checkpoints),
    )
    seen: list[int] = []
    model.register_forward_hook(
        lambda _, __, given, ___: seen.append(len(given["input_ids"])), with_kwargs=True
    )
    train_or_resume(trainer, checkpoints)
    trained = seen.copy()
    seen.clear()
    held_out = trainer.evaluate()["eval_loss"]
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return Outcome(losses, trainer.meter.tokens, trained, held_out, seen)


def outcome_file(directory: Path, process: int) -> Path:
    """Where a process leaves its outcome: what two of them print can come in one line."""
    return directory / f"outcome-{process}.json"


def main(directory: Path, spare: int) -> int:
    """Write what came of it in this process; of several processes the last one is limited."""
    try:
        found = limited(directory, spare if rank() == world_size() - 1 else 0)
    except CutOff as cut:
        print(cut, file=sys.stderr)
        return cut.exit_code
    outcome_file(directory, rank()).write_text(json.dumps(asdict(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
