"""The range test: rates rise to divergence, both of Muon and AdamW, and the losses say which suit."""

from __future__ import annotations

import itertools
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli import main
from pipeline.errors import GroundupError
from pipeline.sweep.rates import Rise, suggestion

RISE = Rise(steps=100, lowest=1e-3, highest=1e2)


def _losses(fall: float, rise: float) -> list[float]:
    """Of a training that learns fastest at one factor and diverges round another, with noise of the data."""
    chance = np.random.default_rng(0)
    places = [math.log10(RISE.factor(step)) for step in range(RISE.steps)]
    learnt = [2.0 / (1.0 + math.exp(-4 * (x - math.log10(fall)))) for x in places]
    lost = [3.0 / (1.0 + math.exp(-6 * (x - math.log10(rise)))) for x in places]
    return [8.0 - a + b + chance.normal(0, 0.03) for a, b in zip(learnt, lost, strict=True)]


def test_the_steepest_fall_and_the_least_are_found() -> None:
    found = suggestion(_losses(fall=0.1, rise=10.0), RISE)
    assert 0.05 < found.steepest < 0.2 and 0.3 < found.least < 5.0


def test_what_falls_again_after_a_rise_was_unstable() -> None:
    losses = _losses(fall=0.1, rise=5.0)
    found = suggestion([*losses[:90], *[4.0] * 10], RISE)
    assert found.least < 5.0


@pytest.mark.parametrize("losses", [[8.0 + step / 100 for step in range(100)], [math.nan]])
def test_a_loss_that_never_falls_is_refused(losses: list[float]) -> None:
    with pytest.raises(GroundupError, match="the loss never fell"):
        suggestion(losses, RISE)


def test_both_rates_of_pretraining_rise_together(
    tiny: Path, whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(
        whole_run / "tiny", tmp_path / "tiny", ignore=shutil.ignore_patterns("pretrain", "finetune")
    )
    assert main(["rates", "--recipe", str(tiny), "--runs", str(tmp_path), "--steps", "20"]) == 0
    out = tmp_path / "tiny" / "rates" / "pretrain"
    said = json.loads((out / "rates.json").read_text())
    rates = [json.loads(line)["learning_rate"] for line in (out / "log.jsonl").open() if '"loss"' in line]
    ratios = [after / before for before, after in itertools.pairwise(rates)]
    assert len(rates) == len(said["losses"]) == 20 and ratios[:-1] == pytest.approx([ratios[0]] * 18)
    steepest, own = said["rates"]["loss falls steepest"], said["rates"]["the recipe"]
    factors = [steepest[name] / own[name] for name in ("learning_rate", "muon_learning_rate")]
    assert factors[0] == pytest.approx(factors[1], rel=0.1)
    assert f"--pretrain.muon-learning-rate {steepest['muon_learning_rate']}" in capsys.readouterr().out
    assert (out / "rates.png").read_bytes().startswith(b"\x89PNG") and not (out / "checkpoints").exists()
    assert not (tmp_path / "tiny" / "pretrain").exists()


def test_a_task_is_tested_from_the_pretrained_model_until_it_diverges(
    tiny: Path, whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole_run / "tiny", tmp_path / "tiny")
    rates = ["rates", "--recipe", str(tiny), "--runs", str(tmp_path), "--task", "chat"]
    assert main([*rates, "--steps", "30", "--highest", "1e6"]) == 0
    said = json.loads((tmp_path / "tiny" / "rates" / "finetune" / "chat" / "rates.json").read_text())
    assert len(said["losses"]) < 30
    assert "groundup finetune --task chat" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--steps", "3"], "3 tell nothing"),
        (["--lowest", "10", "--highest", "1"], "not between 0 and 1.0"),
        (["--task", "all"], "one task at a time"),
    ],
)
def test_what_cannot_be_tested_is_refused(
    tiny: Path, tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rates", "--recipe", str(tiny), "--runs", str(tmp_path), *arguments]) == 2
    assert words in capsys.readouterr().err
