"""The page of a lineage: one file that loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.lineage.picture import scores, taken
from pipeline.lineage.results import PRETRAIN, Climbed, Lineage
from pipeline.lineage.steps import Step
from pipeline.lineage.tables import COSTS, NOTE, absent, costs, ends, gains, titles
from pipeline.provenance import describe_hardware
from pipeline.report.render import rendered
from pipeline.report.tables import number
from pipeline.stages import Run


def page(base: Run, lineage: Lineage, found: Sequence[Step]) -> str:
    """All of it as HTML: picture, table, what each step bought, what the rungs are.

    Args:
        base: the run of the recipe.
        lineage: the finished rungs.
        found: steps between them.
    """
    manifests = [rung.run.artifact(PRETRAIN).manifest() for rung in lineage.rungs]
    return rendered(
        "lineage.html.j2",
        recipe=base.recipe,
        tokens=max(rung.tokens for rung in lineage.rungs),
        minutes=sum(rung.pretraining.seconds + rung.finetuning.seconds for rung in lineage.rungs) / 60,
        machines=list(dict.fromkeys(describe_hardware(manifest["hardware"]) for manifest in manifests)),
        picture=scores(lineage),
        taken=taken(lineage),
        scores={rung.name: _scores(rung, lineage) for rung in lineage.rungs},
        costs={rung.name: _costs(rung) for rung in lineage.rungs},
        intervals={rung.name: _intervals(rung, lineage) for rung in lineage.rungs},
        absent=absent(lineage),
        bought=gains(lineage, found),
        rungs=lineage.rungs,
        directories={rung.name: rung.run.path.relative_to(base.path) for rung in lineage.rungs},
        note=NOTE,
    )


def _scores(rung: Climbed, lineage: Lineage) -> dict[str, str]:
    found = {name: number(rung.scores[column].value) for column, name in titles(lineage).items()}
    return {"year": str(rung.rung.year), **found}


def _costs(rung: Climbed) -> dict[str, str]:
    return dict(zip(COSTS, costs(rung), strict=True))


def _intervals(rung: Climbed, lineage: Lineage) -> dict[str, str]:
    return {name: ends(rung.scores[column]) for column, name in titles(lineage).items()}
