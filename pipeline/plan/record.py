"""The plan as a file of the run, which its report sets beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.artifacts import PLAN, write_json
from pipeline.plan.machines import Estimate, seconds_on
from pipeline.plan.measuring import Speed
from pipeline.plan.needs import Need
from pipeline.provenance import hardware
from pipeline.stages import Run, stage_of
from pipeline.train.data.reading import Reading


def write_plan(
    run: Run,
    needs: Sequence[Need],
    readings: Mapping[str, Reading],
    speed: Speed,
    estimates: Sequence[Estimate],
) -> Path:
    """Write ``plan.json``: by stage what it will need here, with its fingerprint; by machine what all will.

    Args:
        run: that was planned.
        needs: of its stages.
        readings: of the tasks' data.
        speed: of this machine.
        estimates: by machine, this one first.
    """
    here = estimates[0].machine
    read = {stage_of(task, run.recipe.tasks[task]): reading for task, reading in readings.items()}
    stages = {}
    for need in needs:
        seconds = seconds_on(here, need, 1.0)
        reading = read.get(need.stage)
        stages[need.stage] = {
            "fingerprint": run.fingerprint(run.stages()[need.stage]),
            **asdict(need),
            "memory_bytes": need.memory.total,
            "seconds": seconds,
            **({"watt_hours": here.watts * seconds / 3600} if here.watts else {}),
            **({"lengths": asdict(reading.lengths)} if reading and reading.lengths else {}),
        }
    file = run.path / PLAN
    write_json(
        file,
        {
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "hardware": hardware(),
            "speed": asdict(speed),
            "utilisation": run.recipe.plan.utilisation,
            "stages": stages,
            "machines": {found.machine.name: _told(found) for found in estimates},
        },
    )
    return file


def _told(found: Estimate) -> dict[str, Any]:
    return {
        **asdict(found.machine),
        "seconds": found.seconds,
        "watt_hours": found.watt_hours,
        "price": found.price,
        "fits": found.fits,
    }
