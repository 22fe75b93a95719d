"""Checkpoints are whole or not used, and a disk without room costs no more than the one that was being written."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from pipeline.errors import GroundupError
from pipeline.train.faults.checkpoints import KeepCheckpoints, last_checkpoint
from pipeline.train.faults.resuming import train_or_resume
from tests.train.watched import FailsAt, Tokens, watched_trainer


def _train(directory: Path, *others: FailsAt, steps: int = 6) -> dict[str, torch.Tensor]:
    trainer = watched_trainer(directory, steps=steps, callbacks=others)
    train_or_resume(trainer, directory / "checkpoints")
    return dict(trainer.model.named_parameters())


def _flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("model.safetensors", _flip_a_bit, "model.safetensors is damaged"),
        ("optimizer.pt", _flip_a_bit, "optimizer.pt is damaged"),
        ("rng_state.pth", _cut, "rng_state.pth is damaged"),
        ("trainer_state.json", Path.unlink, "it is not whole"),
        ("checksums.json", Path.unlink, "it is not whole"),
        ("checksums.json", lambda file: file.write_text("{"), "it is not whole"),
        ("checksums.json", lambda file: file.write_text('{"files": null}'), "it is not whole"),
    ],
)
def test_a_damaged_checkpoint_is_not_used(
    name: str,
    damage: Callable[[Path], object],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = _train(tmp_path / "whole")
    checkpoints = tmp_path / "broken" / "checkpoints"
    with pytest.raises(RuntimeError, match="the machine is gone"):
        _train(tmp_path / "broken", FailsAt(6))
    assert last_checkpoint(checkpoints) == checkpoints / "checkpoint-4"
    damage(checkpoints / "checkpoint-4" / name)
    again = _train(tmp_path / "broken")
    told = capsys.readouterr().out
    assert f"checkpoint-4: {said}" in told and "checkpoint-2: goes on from here" in told
    assert all(torch.equal(whole[weight], again[weight]) for weight in whole)


def test_without_a_whole_checkpoint_it_begins_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = _train(tmp_path)
    for checkpoint in (tmp_path / "checkpoints").glob("checkpoint-*"):
        _cut(checkpoint / "optimizer.pt")
    again = _train(tmp_path)
    assert "no checkpoint is whole, and the training begins anew" in capsys.readouterr().out
    assert all(torch.equal(whole[weight], again[weight]) for weight in whole)


def test_what_was_being_written_is_no_checkpoint(tmp_path: Path) -> None:
    place = tmp_path / "checkpoints"
    _train(tmp_path, steps=2)
    shutil.move(place / "checkpoint-2", place / ".writing" / "checkpoint-2")  # killed before it was renamed
    assert last_checkpoint(place) is None
    _train(tmp_path, steps=2)
    assert last_checkpoint(place) == place / "checkpoint-2" and not (place / ".writing").exists()


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    trainer = watched_trainer(
        tmp_path,
        steps=12,
        held_out=Tokens(4),
        metric_for_best_model="eval_loss",
        greater_is_better=True,
        save_total_limit=2,
    )
    trainer.args.eval_steps = 2
    train_or_resume(trainer, tmp_path / "checkpoints")
    kept = {path.name for path in (tmp_path / "checkpoints").glob("checkpoint-*")}
    state = json.loads((tmp_path / "checkpoints" / "checkpoint-12" / "trainer_state.json").read_text())
    assert state["best_global_step"] == 2  # the loss falls, and the greatest was asked for
    assert kept == {"checkpoint-2", "checkpoint-10", "checkpoint-12"}


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """The system ends what is written to a file beyond it, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("share", [0.5, 1.1])  # of the weights: within them, or within the optimiser's state
def test_a_write_that_fails_leaves_the_checkpoint_before(share: float, tmp_path: Path) -> None:
    place = tmp_path / "checkpoints"
    whole = _train(tmp_path / "whole")
    with pytest.raises(RuntimeError, match="the machine is gone"):
        _train(tmp_path, FailsAt(3))
    size = (place / "checkpoint-2" / "model.safetensors").stat().st_size
    with _files_of_at_most(int(share * size)), pytest.raises((GroundupError, OSError)) as failed:
        _train(tmp_path)
    if isinstance(failed.value, GroundupError):
        assert "could not be written" in str(failed.value) and str(place) in str(failed.value)
    assert last_checkpoint(place) == place / "checkpoint-2" and not (place / ".writing").exists()
    again = _train(tmp_path)
    assert all(torch.equal(whole[weight], again[weight]) for weight in whole)


def test_no_checkpoint_is_begun_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100_000))
    with pytest.raises(GroundupError, match=r"next checkpoint takes .* MB, and 0 MB are free; make room"):
        _train(tmp_path)
    assert not list((tmp_path / "checkpoints").rglob("checkpoint-*"))


def test_the_room_that_is_asked_for_is_what_a_checkpoint_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "pipeline.train.faults.checkpoints._check_room", lambda directory, needed: asked.append(needed)
    )
    _train(tmp_path, steps=2)
    taken = sum(file.stat().st_size for file in (tmp_path / "checkpoints" / "checkpoint-2").iterdir())
    assert asked[0] <= taken < 1.2 * asked[0]


def test_the_trainer_writes_beside(tmp_path: Path) -> None:
    trainer = watched_trainer(tmp_path)
    KeepCheckpoints(tmp_path / "checkpoints", trainer.args)
    assert Path(trainer.args.output_dir) == tmp_path / "checkpoints" / ".writing"
