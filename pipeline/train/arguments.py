"""Settings to the Trainer's arguments, for pre-training and fine-tuning alike."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from pipeline.launch import check_processes
from pipeline.model.machine import Choice, compute_the_same_twice
from pipeline.processes import world_size
from pipeline.recipe import Dpo, Finetune, Grpo, Pretrain
from pipeline.train.schedule import schedule_arguments


def training_arguments(
    settings: Pretrain | Finetune | Dpo | Grpo,
    choice: Choice,
    checkpoints: Path,
    seed: int,
    kind: type[TrainingArguments] = TrainingArguments,
    **others: Any,
) -> TrainingArguments:
    """The arguments that all kinds of training share; rates and decay are the optimiser's own.

    Args:
        settings: steps, batches, schedule.
        choice: how to compute.
        checkpoints: directory for checkpoints.
        seed: of initialisation and dropout; the order of the data is the data set's own.
        kind: the class, of a Trainer that has its own.
        others: what one kind of training adds, or has otherwise.

    Raises:
        GroundupError: when the global batch does not divide among the processes, or there are several GPUs for one.
    """
    check_processes("global-batch", settings.global_batch)
    compute_the_same_twice()
    _compile_layers(choice)
    micro, accumulated = micro_batch(settings.global_batch, settings.micro_batch)
    arguments: dict[str, Any] = {
        "output_dir": str(checkpoints),
        "max_steps": settings.steps,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": accumulated,
        **schedule_arguments(settings),
        "max_grad_norm": settings.gradient_clipping,
        "bf16": choice.bfloat16,
        "torch_compile": choice.compiles,
        "use_liger_kernel": choice.liger,
        "liger_kernel_config": {
            "cross_entropy": False,
            "fused_linear_cross_entropy": False,
        },  # the loss is ours
        "use_cpu": not torch.cuda.is_available(),
        "seed": seed,
        "train_sampling_strategy": "sequential",
        "logging_steps": settings.log_every or log_every(),
        # The filter would hide a loss that is no number, and wait for the GPU at every step.
        "logging_nan_inf_filter": False,
        "save_steps": settings.checkpoint_every,
        "save_total_limit": settings.checkpoints_kept,
        "disable_tqdm": True,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }
    return kind(**{**arguments, **others})


def _compile_layers(choice: Choice) -> None:
    """Compile one layer for all, which takes less time and trains as fast; Accelerate reads this here alone."""
    if choice.compiles:
        torch.compiler.reset()  # it stops compiling after some models, and gives back nothing of earlier ones
    os.environ["ACCELERATE_DYNAMO_USE_REGIONAL_COMPILATION"] = str(choice.compiles)
    os.environ.pop("ACCELERATE_DYNAMO_USE_DYNAMIC", None)
    if choice.any_shape:
        os.environ["ACCELERATE_DYNAMO_USE_DYNAMIC"] = "true"


def micro_batch(global_batch: int, largest: int, processes: int = 0) -> tuple[int, int]:
    """Sequences a process holds at a time, and how often it accumulates, for one global batch, which divides.

    Args:
        global_batch: sequences in a step.
        largest: that a process may hold.
        processes: 0 is as many as this launch has.
    """
    share = global_batch // (processes or world_size())
    micro = max(size for size in range(1, min(largest, share) + 1) if share % size == 0)
    return micro, share // micro


def log_every() -> int:
    """Steps between two lines of the log where nothing is set: a line reads the loss, and so waits for a GPU."""
    return 10 if torch.cuda.is_available() else 1
