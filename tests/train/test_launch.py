"""Launch configurations that Accelerate takes, and a Slurm script that bash takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file

from pipeline.artifacts import read_log
from pipeline.errors import GroundupError
from pipeline.launch import check_launch
from pipeline.model.machine import Choice
from pipeline.model.scaling import resolved
from pipeline.recipe import Finetune
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
from pipeline.train.arguments import micro_batch, training_arguments
from tests.command_line import ROOT

LAUNCH = ROOT / "recipes" / "launch"
KINDS = {"gpu": "NO", "ddp": "MULTI_GPU", "ddp_cpu": "MULTI_GPU", "fsdp2": "FSDP", "deepspeed": "DEEPSPEED"}


def test_every_configuration_is_tested_here() -> None:
    assert {path.stem for path in LAUNCH.glob("*.yaml")} == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_accelerate_takes_the_configuration(name: str) -> None:
    config = load_config_from_file(str(LAUNCH / f"{name}.yaml"))
    assert str(config.distributed_type).endswith(KINDS[name])
    assert name != "fsdp2" or config.fsdp_config["fsdp_version"] == 2
    assert name != "deepspeed" or config.deepspeed_config["zero_stage"] == 3


def test_the_slurm_script_is_sound() -> None:
    script = LAUNCH / "slurm.sh"
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert (
        Path(ROOT / "recipes/launch/fsdp2.yaml").is_file()
        and "recipes/launch/fsdp2.yaml" in script.read_text()
    )


def test_several_gpus_want_as_many_processes(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    choice = Choice(bfloat16=False, compiles=False, attention="sdpa")
    with pytest.raises(GroundupError, match="there are 2 GPUs and one process"):
        training_arguments(Finetune(), choice, tmp_path, seed=0)
    with pytest.raises(GroundupError, match="there are 2 GPUs and one process"):
        Run(resolved(load_recipe(str(tiny))), tmp_path).finish("pretrain")
    assert not list(tmp_path.rglob("manifest.json"))  # also nothing of the corpus, which would come before


def test_liger_s_kernels_leave_the_loss_to_the_output_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = Choice(bfloat16=False, compiles=False, attention="sdpa")
    assert not training_arguments(Finetune(), choice, tmp_path, seed=0).use_liger_kernel
    monkeypatch.setattr(Choice, "liger", True)
    made = training_arguments(Finetune(), choice, tmp_path, seed=0)
    assert made.use_liger_kernel and not any(made.liger_kernel_config.values())


@pytest.mark.parametrize(
    ("whole", "largest", "processes", "wanted"),
    [
        (16, 16, 1, (16, 1)),
        (16, 16, 2, (8, 1)),
        (16, 4, 2, (4, 2)),
        (24, 16, 2, (12, 1)),
        (512, 32, 8, (32, 2)),
    ],
)
def test_the_global_batch_is_the_recipes_whatever_the_number_of_processes(
    whole: int, largest: int, processes: int, wanted: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    micro, accumulated = micro_batch(whole, largest)
    assert (micro, accumulated) == wanted and micro * accumulated * processes == whole


def test_a_global_batch_that_does_not_divide_is_refused(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = resolved(load_recipe(str(tiny)))
    rows, processes = recipe.pretrain.global_batch, recipe.pretrain.global_batch + 1
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    choice, words = (
        Choice(bfloat16=False, compiles=False, attention="sdpa"),
        f"does not divide among {processes}",
    )
    with pytest.raises(
        GroundupError, match=f"global-batch: {rows} {words} processes; use a multiple of {processes}"
    ):
        training_arguments(recipe.pretrain, choice, tmp_path, seed=0)
    with pytest.raises(GroundupError, match=f"--pretrain.global-batch: {rows} {words}"):
        check_launch("pretrain", recipe.pretrain)  # which comes before the first stage


@pytest.mark.parametrize("kind", ["FSDP", "DEEPSPEED"])
def test_optimisers_of_whole_weights_are_refused_where_these_are_sharded(
    kind: str, tiny: Path, whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ACCELERATE_USE_{kind}", "true")
    recipe = resolved(load_recipe(str(tiny)))
    with pytest.raises(GroundupError, match=r"--pretrain.optimizer: muon needs whole weights"):
        Run(recipe, tmp_path).finish("finetune/sentiment")
    assert not list(tmp_path.rglob("manifest.json"))  # also nothing of the corpus, which would come before
    sentiment = replace(recipe.tasks["sentiment"], optimizer="schedule-free", schedule="constant")
    changed = replace(recipe, tasks={"sentiment": sentiment})
    with pytest.raises(
        GroundupError, match=r"--tasks.sentiment.optimizer: schedule-free needs whole weights"
    ):
        Run(changed, whole_run).finish("finetune/sentiment")
    Run(recipe, whole_run).finish("pretrain")  # Muon too, but done before


def test_under_slurm_a_job_saves_and_goes_back_in_the_queue(tiny: Path, tmp_path: Path) -> None:
    """With stand-ins for Slurm's commands, the launcher and two processes being real."""
    commands, work = tmp_path / "commands", tmp_path / "work"
    commands.mkdir()
    for name, script in {
        "scontrol": f'[ "$1" = show ] && echo 127.0.0.1 || echo "$@" >> {tmp_path}/asked',
        "srun": f'echo $$ > {tmp_path}/step; exec env SLURM_NODEID=0 "$@"',
        "scancel": f"kill -USR1 $(cat {tmp_path}/step)",
    }.items():
        (commands / name).write_text(f"#!/bin/bash\n{script}\n")
        (commands / name).chmod(0o755)
    (work / ".venv").mkdir(parents=True)
    (work / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    for name in ("pipeline", "recipes"):
        (work / name).symlink_to(ROOT / name)
    recipe = work / "long.py"
    recipe.write_text(tiny.read_text().replace("steps=6", "steps=5000"))
    job = subprocess.Popen(
        ["bash", LAUNCH / "slurm.sh", recipe],
        cwd=work,
        env={
            **os.environ,
            "PATH": f"{commands}:{os.environ['PATH']}",
            "SLURM_JOB_ID": "7",
            "SLURM_JOB_NODELIST": "node",
            "SLURM_NNODES": "1",
            "GPUS_PER_NODE": "2",
            "CONFIG": "recipes/launch/ddp_cpu.yaml",
            "OMP_NUM_THREADS": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    log = work / "runs" / "tiny" / "pretrain" / "log.jsonl"
    while job.poll() is None and not (log.is_file() and log.stat().st_size):
        time.sleep(0.05)
    job.send_signal(signal.SIGUSR1)
    said = job.communicate(timeout=120)[0]
    assert job.returncode != 0 and "stopped and saved; the same command goes on" in said, said
    assert (tmp_path / "asked").read_text() == "requeue 7\n"
    steps = [line["step"] for line in read_log(log) if "loss" in line]
    assert (work / "runs" / "tiny" / "pretrain" / "checkpoints" / f"checkpoint-{steps[-1]}").is_dir()
