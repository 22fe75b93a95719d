"""Energy and CO₂ of a training, through CodeCarbon and without a network."""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifacts import read_json, write_json
from pipeline.processes import say

_COUNTERS = ("CPU(Intel Rapl)", "CPU(Windows Emi)")
"""How CodeCarbon describes processors whose own counters it reads; of others it knows the load and the TDP."""


class Energy:
    """What the machine takes while a training runs, measurements and checkpoints in between included.

    CodeCarbon reads the meters of the whole machine every 15 seconds in a thread of its own, whatever else runs on
    it; its configuration files and CODECARBON_ variables say more about a machine (its PUE, the power of its
    processor). One process of each machine measures. What was spent before an interruption is kept in a file, so
    that steps that are lost and done again count twice, as they cost twice.

    Args:
        country: ISO 3166-1 alpha-3 code, whose mean carbon intensity makes energy CO₂; empty gives energy alone.
        directory: where what is spent is kept until the stage is finished.
    """

    def __init__(self, country: str, directory: Path) -> None:
        self.country, self.directory = country, directory
        self.before, self.now = Spent(), Spent()
        self.method = ""
        """From what the numbers come; empty, and the numbers mean nothing, until CodeCarbon has found the meters."""
        self.seconds = 0.0
        """That the readings since the start are of."""
        self._tracker: Any = None
        self._starting = threading.Thread(target=self._start, daemon=True)

    @property
    def spent(self) -> Spent:
        """By this process's machine since the training began, interruptions included."""
        return Spent(self.before.watt_hours + self.now.watt_hours, self.before.co2_grams + self.now.co2_grams)

    @property
    def watts(self) -> float:
        """The mean power since the start; 0 where nothing was read."""
        return self.now.watt_hours * 3600 / self.seconds if self.seconds else 0.0

    @contextmanager
    def measuring(self, process: int, is_first_of_machine: bool) -> Iterator[None]:
        """Measure while the block runs, in the first process of each machine.

        Args:
            process: its number among all.
            is_first_of_machine: whether it measures.
        """
        if not is_first_of_machine or not self._found():
            yield
            return
        file = self.directory / f"energy-{process}.json"
        self.before = Spent(**read_json(file)) if file.is_file() else Spent()
        import codecarbon

        logging.getLogger("codecarbon").setLevel(logging.ERROR)
        self._tracker = codecarbon.OfflineEmissionsTracker(
            **({"country_iso_code": self.country} if self.country else {}),
            output_methods=[],  # no emissions.csv
            output_handlers=[_Tally(self, file)],
            api_call_interval=1,  # tell the handler at every reading
            log_level="error",
        )
        # It asks the system about the processor for more than a second; the training need not wait.
        self._starting.start()
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> None:
        """Take the last reading."""
        if self._tracker is not None:
            self._starting.join()
            self._tracker.stop()
            self._tracker = None

    def _start(self) -> None:
        self._tracker.start()
        self.method = _method(
            getattr(self._tracker, "_hardware", [])
        )  # nothing public tells how parts are read

    def _found(self) -> bool:
        found = importlib.util.find_spec("codecarbon") is not None
        if not found:
            say("energy is not measured: it takes CodeCarbon (pip install codecarbon)")
        return found


@dataclass(frozen=True)
class Spent:
    """Energy and what it emitted."""

    watt_hours: float = 0.0
    co2_grams: float = 0.0
    """Grams of CO₂ equivalent; means something only where the country is known."""


@dataclass(frozen=True)
class _Tally:
    """Takes readings from CodeCarbon, in kWh and kg, and keeps them in the file."""

    energy: Energy
    file: Path

    def live_out(self, total: Any, _: Any) -> None:
        self.energy.seconds = total.duration
        self.energy.now = Spent(total.energy_consumed * 1e3, total.emissions * 1e3)
        spent = self.energy.spent
        write_json(self.file, {"watt_hours": spent.watt_hours, "co2_grams": spent.co2_grams})

    out = live_out

    def exit(self) -> None:
        """Nothing is open."""


def _method(hardware: list[Any]) -> str:
    """From what CodeCarbon tells the power of each part of the machine, in words."""
    found = {type(part).__name__: part.description() for part in hardware}
    words = []
    if "GPU" in found:
        words.append("GPUs read from their meters")
    if "CPU" in found:
        counted = found["CPU"] in _COUNTERS
        words.append(
            "processor read from its counters" if counted else "processor estimated from its load and TDP"
        )
    if "AppleSiliconChip" in found:
        words.append("chip read by powermetrics")
    return ", ".join([*words, "memory estimated from its size"]) if found else ""
