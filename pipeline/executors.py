"""Work on text in many tasks: on the cores of this machine, on a Slurm cluster or on a Ray cluster.

The engine is datatrove's (Penedo et al., 2024): a task that has ended leaves a mark, so that work cut off
goes on with the tasks that are left, and the same step runs wherever there are machines.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import time
from abc import abstractmethod
from pathlib import Path
from typing import Any

import multiprocess
from datatrove.executor import LocalPipelineExecutor
from datatrove.executor.base import PipelineExecutor
from datatrove.pipeline.base import PipelineStep
from loguru import logger

from pipeline.errors import GroundupError
from pipeline.recipe import Executor

# Its log would be a page a task. Here, and not in a function, because each worker imports this module.
logger.disable("datatrove")

_POLL_SECONDS = 5


class Step(PipelineStep):
    """Work divided into tasks, each of which reads and writes files of its own; it may be done twice."""

    @abstractmethod
    def work(self, task: int) -> None:
        """Do one task."""

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> None:
        """Called by datatrove, in the process of the task."""
        gc.disable()  # rows and documents hold no cycles, and looking for some takes a sixth of the time
        try:
            self.work(rank)
        finally:
            gc.enable()


def run_step(step: Step, tasks: int, executor: Executor, marks: Path) -> None:
    """Do every task that has not been done, and come back when all have.

    Args:
        step: the work; it is pickled for the processes that do it.
        tasks: how many there are.
        executor: where they are done.
        marks: directory of the marks of finished tasks; on a cluster a shared one.

    Raises:
        GroundupError: when a task has raised it, or the cluster has ended a job without finishing its tasks.
    """
    engine = _engine(step, tasks, executor, marks)
    engine.run()
    while left := len(engine.get_incomplete_ranks()):
        if not _is_queued(engine):
            raise GroundupError(
                str(marks),
                f"{left} of {tasks} tasks have not ended well",
                "look at the logs there, mend it, and run the same command again: only these tasks are done",
            )
        time.sleep(_POLL_SECONDS)


def workers_of(executor: Executor) -> int:
    """Tasks that run at the same time on this machine."""
    return executor.workers or len(os.sched_getaffinity(0))


def _is_queued(engine: PipelineExecutor) -> bool:
    """Whether a job of Slurm still waits or runs; the other executors come back when all is over."""
    job = getattr(engine, "job_id", None)
    if job is None:
        return False
    squeue = shutil.which("squeue") or "squeue"
    listed = subprocess.run([squeue, "--noheader", "--jobs", str(job)], capture_output=True, text=True)
    return listed.returncode == 0 and bool(listed.stdout.strip())


def _engine(step: Step, tasks: int, executor: Executor, marks: Path) -> PipelineExecutor:
    if executor.kind == "slurm":
        from datatrove.executor import SlurmPipelineExecutor

        return SlurmPipelineExecutor(
            [step],
            tasks=tasks,
            time=executor.time,
            partition=executor.partition,
            mem_per_cpu_gb=executor.memory_gigabytes,
            workers=executor.workers or -1,
            job_name=f"groundup-{marks.name}",
            qos="",
            env_command=f'export PATH="{Path(sys.executable).parent}:$PATH"',
            logging_dir=str(marks),
        )
    if executor.kind == "ray":
        from datatrove.executor import RayPipelineExecutor

        return RayPipelineExecutor(
            [step],
            tasks=tasks,
            workers=executor.workers or -1,
            mem_per_cpu_gb=executor.memory_gigabytes,
            logging_dir=str(marks),
        )
    # Every process would import what its task needs anew; the server that all are forked from does so once.
    modules = sorted({kind.__module__ for kind in Step.__subclasses__()})
    multiprocess.get_context("forkserver").set_forkserver_preload(modules)
    return LocalPipelineExecutor(
        [step], tasks=tasks, workers=min(tasks, workers_of(executor)), logging_dir=str(marks)
    )
