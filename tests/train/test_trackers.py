"""What reaches trackers: all that our own log has, in files of the run, and names that are checked before work."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline.artifacts import Artifact
from pipeline.checks import check
from pipeline.errors import GroundupError
from pipeline.recipe import Corpus, Recipe, Watch
from pipeline.train.faults.resuming import train_or_resume
from pipeline.train.watching.trackers import tracker_arguments, tracker_callbacks
from tests.train.watched import FailsAt, logged, watched_trainer


def _train(out: Artifact, report_to: tuple[str, ...], *others: Any, steps: int = 4) -> None:
    callbacks = [*tracker_callbacks(report_to, out, out.checkpoints), *others]
    trainer = watched_trainer(out.path, steps=steps, callbacks=callbacks, **tracker_arguments(report_to, out))
    train_or_resume(trainer, out.checkpoints)


def test_tensorboard_has_every_number_of_every_step_once(tmp_path: Path) -> None:
    out = Artifact(tmp_path / "pretrain")
    with pytest.raises(RuntimeError):
        _train(out, ("tensorboard",), FailsAt(4))
    _train(out, ("tensorboard",))
    read = EventAccumulator(str(out.path / "tensorboard")).Reload()
    lines = logged(out.path, "loss")
    for field in ("loss", "mfu", "tokens_per_second", "grad_norm", "learning_rate_muon", "data_wait"):
        told = [(event.step, event.value) for event in read.Scalars(f"train/{field}")]
        assert told == [(line["step"], pytest.approx(line[field])) for line in lines]


def test_trackio_keeps_them_in_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    for name in [name for name in sys.modules if name.split(".")[0] == "trackio"]:
        monkeypatch.delitem(
            sys.modules, name
        )  # it reads its directory once, and TRL has imported it for other tests
    out = Artifact(tmp_path / "pretrain")
    out.begin({"recipe": "tiny", "stage": "pretrain", "fingerprint": "0123456789abcdef"})
    _train(out, ("trackio",))
    from trackio.sqlite_storage import SQLiteStorage

    rows = SQLiteStorage.get_logs("tiny", "pretrain 01234567")
    told = [row["train/mfu"] for row in rows if "train/mfu" in row]
    assert told == [line["mfu"] for line in logged(out.path, "loss")]
    assert (tmp_path / "trackio" / "tiny.db").is_file()


@pytest.mark.parametrize(
    ("watch", "said"),
    [
        (Watch(report_to=("tensorbord",)), "no tracker 'tensorbord'; did you mean 'tensorboard'"),
        (Watch(report_to=("tensorboard", "wandb")), "wandb is not installed; pip install wandb"),
        (Watch(report_to=("codecarbon",)), "no tracker; leave it out"),
        (Watch(country="France"), "no code of three letters"),
        (Watch(country="FRX"), "'FRX' is not known; did you mean"),
        (Watch(peak_teraflops=-1.0), "negative"),
    ],
)
def test_what_cannot_be_is_refused_before_work(watch: Watch, said: str) -> None:
    sound = Recipe(corpus=Corpus(sources=("some.txt",)))
    check(replace(sound, watch=Watch(report_to=("tensorboard", "trackio"), country="FRA")))
    with pytest.raises(GroundupError, match=said):
        check(replace(sound, watch=watch))
