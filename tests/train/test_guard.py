"""Steps that would do harm are skipped, written down, told of and bounded in number."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from pipeline.train.faults.guard import DivergedError, Guard
from pipeline.train.faults.resuming import train_or_resume
from tests.train.watched import BATCH, FailsAt, Tokens, logged, watched_trainer


@dataclass
class Factors(Tokens):
    """Tokens with what the loss of their step is multiplied by."""

    factors: dict[int, float] = field(default_factory=dict)
    """By step, counted from 1."""

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        factor = self.factors.get(index // BATCH + 1, 1.0)
        return {**super().__getitem__(index), "factor": torch.tensor(factor)}


def _train(
    directory: Path,
    factors: dict[int, float],
    *others: FailsAt,
    most: int = 2,
    leap: float = 0.0,
    steps: int = 6,
) -> dict[str, torch.Tensor]:
    guard = Guard(most, leap, directory / "skipped")
    trainer = watched_trainer(
        directory, steps=steps, train=Factors(steps * BATCH, factors=factors), callbacks=others, guard=guard,
        remove_unused_columns=False, logging_nan_inf_filter=False,
    )  # fmt: skip
    plain = trainer.compute_loss
    trainer.compute_loss = lambda model, inputs, *rest, **more: (
        inputs.pop("factor").mean() * plain(model, inputs, *rest, **more)
    )
    train_or_resume(trainer, directory / "checkpoints")
    return {name: weight.detach().clone() for name, weight in trainer.model.named_parameters()}


@pytest.mark.parametrize("factor", [math.nan, math.inf, -math.inf])
def test_a_step_whose_loss_is_no_number_changes_nothing(
    factor: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = _train(tmp_path, {3: factor})
    assert all(torch.isfinite(weight).all() for weight in weights.values())
    assert "step 3 is skipped: the loss is" in capsys.readouterr().out
    lines = logged(tmp_path, "loss")
    assert [line["step"] for line in lines if line.get("skipped")] == [3]
    assert [math.isfinite(line["loss"]) for line in lines] == [True, True, False, True, True, True]
    written = json.loads((tmp_path / "skipped" / "step-3-process-0.json").read_text())
    expected = Tokens(12)
    assert written["micro_batches"][0]["input_ids"] == [expected[n]["input_ids"].tolist() for n in (4, 5)]


def test_a_skipped_step_leaves_weights_and_optimiser_as_they_were(tmp_path: Path) -> None:
    drawn = dict(watched_trainer(tmp_path).model.named_parameters())
    weights = _train(tmp_path, dict.fromkeys(range(1, 5), math.nan), most=4, steps=4)
    assert all(torch.equal(drawn[name], weight) for name, weight in weights.items())
    saved = torch.load(tmp_path / "checkpoints" / "checkpoint-4" / "optimizer.pt")
    assert not saved["muon"]["state"] and not saved["adamw"]["state"]


def test_too_many_end_the_training_with_their_batches(tmp_path: Path) -> None:
    with pytest.raises(
        DivergedError, match=r"the loss is nan at step 5, after 2 steps that were skipped; look at"
    ):
        _train(tmp_path, {2: math.nan, 4: math.nan, 5: math.nan})
    assert sorted(file.name for file in (tmp_path / "skipped").iterdir()) == [
        "step-2-process-0.json", "step-4-process-0.json", "step-5-process-0.json",
    ]  # fmt: skip
    assert [line["step"] for line in logged(tmp_path, "loss")] == [1, 2, 3, 4]


def test_an_interruption_changes_nothing(tmp_path: Path) -> None:
    factors = {2: math.nan, 3: 50.0, 5: math.inf}
    whole = _train(tmp_path / "whole", factors)
    for step in (4, 6):
        with pytest.raises(RuntimeError, match="the machine is gone"):
            _train(tmp_path / "broken", factors, FailsAt(step))
    broken = _train(tmp_path / "broken", factors)
    assert all(torch.equal(whole[name], broken[name]) for name in whole)
    with pytest.raises(DivergedError):  # what was skipped before a checkpoint counts after it
        _train(tmp_path / "again", {2: math.nan, 4: math.nan}, most=1, steps=4)
    with pytest.raises(DivergedError):
        _train(tmp_path / "again", {2: math.nan, 4: math.nan}, most=1, steps=4)


def test_a_loss_that_leaps_is_skipped(tmp_path: Path) -> None:
    _train(tmp_path, {58: 3.0}, leap=10.0, steps=60)
    assert [line["step"] for line in logged(tmp_path, "loss") if line.get("skipped")] == [58]
    written = json.loads((tmp_path / "skipped" / "step-58-process-0.json").read_text())
    assert written["reason"].startswith("the loss leaps to")


def test_what_it_knows_of_the_loss_is_the_running_mean_and_deviation() -> None:
    guard = Guard(1, 10.0, Path("nowhere"))
    chance = torch.Generator().manual_seed(0)
    losses = (4 + 0.5 * torch.randn(400, generator=chance, dtype=torch.float64)).tolist()
    for loss in losses:
        guard._learn(loss)
    assert guard.mean == pytest.approx(4, abs=0.2)
    assert math.sqrt(guard.variance) == pytest.approx(0.5, rel=0.3)
