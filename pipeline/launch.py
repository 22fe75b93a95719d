"""What a launch, its processes and GPUs, cannot run; said before the first stage begins."""

from __future__ import annotations

from pipeline.errors import GroundupError
from pipeline.processes import shards_weights, visible_gpus, world_size
from pipeline.recipe import Finetune, Pretrain


def check_launch(section: str, training: Pretrain | Finetune, processes: int = 0) -> None:
    """Refuse what a launch cannot run.

    Args:
        section: of the recipe.
        training: its settings.
        processes: that will be started; 0 is as many as this launch has.

    Raises:
        GroundupError: where weights are sharded and the optimiser needs whole ones, and as ``check_processes``.
    """
    check_processes(f"--{section}.global-batch", training.global_batch, processes)
    if isinstance(training, Finetune) and training.adapter.method != "none" and shards_weights():
        raise GroundupError(
            f"--{section}.adapter",
            "adapters were not made to work on weights that the launch shards",
            "launch with recipes/launch/ddp.yaml, or train all weights",
        )
    if isinstance(training, Finetune) and training.privacy.epsilon and (processes or world_size()) > 1:
        raise GroundupError(
            f"--{section}.privacy.epsilon",
            "gradients by example are taken in one process, and the launch has several",
            "start one, without accelerate launch",
        )
    if training.optimizer != "adamw" and shards_weights():
        raise GroundupError(
            f"--{section}.optimizer",
            f"{training.optimizer} needs whole weights, and this launch shards them",
            f"add --{section}.optimizer adamw, or launch with recipes/launch/ddp.yaml",
        )


def check_processes(where: str, global_batch: int, processes: int = 0) -> None:
    """Refuse processes that would train on another global batch than the recipe's.

    Raises:
        GroundupError: when it does not divide among them, or when there is one process for several GPUs, to each of
            which the Trainer would give a micro-batch.
    """
    processes = processes or world_size()
    if global_batch % processes:
        raise GroundupError(
            where,
            f"{global_batch} does not divide among {processes} processes",
            f"use a multiple of {processes}",
        )
    if processes == 1 and (gpus := visible_gpus()) > 1:
        raise GroundupError(
            "CUDA_VISIBLE_DEVICES",
            f"there are {gpus} GPUs and one process",
            f"start {gpus} processes: accelerate launch --config_file recipes/launch/ddp.yaml -m pipeline …, "
            "or set it to one GPU, such as 0",
        )
