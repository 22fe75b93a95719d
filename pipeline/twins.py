"""Stages that two runs have alike: done once, in the run that others begin from, and taken over by these."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.artifacts import Artifact
from pipeline.processes import on_main
from pipeline.stages import Run, Stage


def finish_twin(base: Run, run: Run, stage: Stage) -> None:
    """Bring a stage to its end in the base run, where it is the same there, unless it is done here already.

    Args:
        base: the run that others begin from.
        run: one of those.
        stage: of that one.
    """
    mark, twin = run.fingerprint(stage), base.stages().get(stage.name)
    if run.artifact(stage.name).is_complete(mark) or twin is None or base.fingerprint(twin) != mark:
        return
    if not base.is_finished(stage.name):
        base.finish(stage.name)


def take_over(run: Run, stage: Stage, others: Iterable[Artifact]) -> None:
    """Be what one of other directories is, where that was made with the same settings; none where it is here already.

    Args:
        run: whose stage.
        stage: as the run has it.
        others: directories of the same stage, in runs beside.
    """
    mark, here = run.fingerprint(stage), run.artifact(stage.name)

    def take() -> None:
        if not here.is_complete(mark):
            source = next((other for other in others if other.is_complete(mark)), None)
            if source is not None:
                here.take_over(source)

    on_main(take)
