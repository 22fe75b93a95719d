"""Energy: counted over interruptions, with no file left behind, and not told where nothing measures it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from pipeline.train.watching.energy import Energy
from pipeline.train.watching.meter import Meter
from tests.train.watched import logged, watched_trainer


def _measured(country: str, directory: Path) -> Energy:
    energy = Energy(country, directory)
    with energy.measuring(process=0, is_first_of_machine=True):
        time.sleep(0.3)
    return energy


def test_energy_goes_on_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    first = _measured("FRA", tmp_path)
    second = _measured("FRA", tmp_path)
    assert 0 < first.spent.watt_hours < second.spent.watt_hours
    assert second.before == first.spent
    intensities = [e.spent.co2_grams / e.spent.watt_hours for e in (first, second)]
    assert intensities[0] == pytest.approx(intensities[1]) and 0.005 < intensities[0] < 1  # g/Wh
    assert "memory estimated" in first.method and "processor" in first.method
    assert not list(Path().iterdir())


def test_it_is_told_to_all_that_watch(tmp_path: Path) -> None:
    energy = Energy("", tmp_path)
    trainer = watched_trainer(tmp_path, meter=Meter(None, 1.0, energy))
    trainer.train()
    last = logged(tmp_path, "watt_hours")[-1]
    assert last["watt_hours"] == trainer.meter.energy_spent()["watt_hours"] > 0
    assert any(entry["energy_from"] == energy.method for entry in logged(tmp_path, "energy_from"))
    assert not logged(tmp_path, "co2_grams")  # nobody said where the machine is
    assert not logged(tmp_path, "mfu")  # and nobody could count the work


def test_without_codecarbon_one_sentence_and_no_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    trainer = watched_trainer(tmp_path, meter=Meter(1.0, 1.0, Energy("FRA", tmp_path)))
    trainer.train()
    assert capsys.readouterr().out.count("pip install codecarbon") == 1
    assert not logged(tmp_path, "watt_hours") and trainer.meter.energy_spent() == {}
