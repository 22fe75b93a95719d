"""Launch configurations that Accelerate takes, and a Slurm script that bash takes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file

from pipeline.errors import GroundupError
from pipeline.train.arguments import micro_batch
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


def test_a_global_batch_that_does_not_divide_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(GroundupError, match="16 does not divide among 3 processes; use a multiple of 3"):
        micro_batch(16, 16)


@pytest.mark.parametrize("kind", ["FSDP", "DEEPSPEED"])
def test_muon_is_refused_where_weights_are_sharded(
    kind: str, tiny: Path, whole_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.artifacts import Artifact
    from pipeline.recipe_files import load_recipe
    from pipeline.train.pretrain import pretrain

    monkeypatch.setenv(f"ACCELERATE_USE_{kind}", "true")
    with pytest.raises(GroundupError, match="Muon needs whole matrices"):
        pretrain(load_recipe(str(tiny)), whole_run / "tiny" / "tokenizer", Artifact(whole_run / "nothing"))
