"""Training the rungs, one after another in this process; what is done already is not done again."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import GroundupError
from pipeline.lineage.rungs import lacks, run_of
from pipeline.processes import say, world_size
from pipeline.stages import Run
from pipeline.twins import finish_twin, take_over


def climb(base: Run, names: Sequence[str], tasks: Sequence[str]) -> None:
    """Pre-train each rung and fine-tune it for the tasks that it can do; the text is prepared once for all.

    Args:
        base: the run of the recipe, in which corpus and tokenizer are made.
        names: of the rungs.
        tasks: of the recipe.

    Raises:
        GroundupError, Interrupted: whatever the stages raise; the same call goes on from there.
    """
    if world_size() > 1:
        raise GroundupError(
            "lineage", f"{world_size()} processes were started", "start one, without a launcher"
        )
    for name in names:
        run = run_of(base, name)
        say(f"{name} ({base.recipe.lineage[name].year}): {base.recipe.lineage[name].changed}")
        *before, pretrain = run.chain("pretrain")
        for stage in before:
            finish_twin(base, run, stage)
            take_over(run, stage, [base.artifact(stage.name)])
        run.finish(pretrain.name)
        for task in tasks:
            if why := lacks(run, task):
                say(f"{name}: no {task}, as {why}")
            else:
                run.finish(run.stage_of(task))
