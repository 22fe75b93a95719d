"""The lineage of a run on disk: its numbers, its page, and a manifest as everything that is made has one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pipeline.artifacts import Artifact, write_json, write_text
from pipeline.inference.aside import Rows, make_aside
from pipeline.lineage.page import page
from pipeline.lineage.results import PRETRAIN, Climbed, Lineage
from pipeline.lineage.steps import Step
from pipeline.settings import as_settings, fingerprint
from pipeline.stages import Run

LINEAGE = "lineage"
"""Directory of a run with it."""
FILE, PAGE = "lineage.json", "index.html"


def record(base: Run, lineage: Lineage, found: Sequence[Step]) -> Artifact:
    """Write ``lineage/`` of the base run: lineage.json, index.html, metrics.json with a row a rung, the manifest."""
    out = base.artifact(LINEAGE)
    inputs = {
        f"{rung.run.path.relative_to(base.path)}/{stage}": rung.run.artifact(stage).fingerprint()
        for rung in lineage.rungs
        for stage in rung.run.stages()
        if rung.run.is_finished(stage)
    }

    def work() -> Rows:
        write_json(out.path / FILE, told(lineage, found))
        write_text(out.path / PAGE, page(base, lineage, found))
        return {rung.name: _numbers(rung, lineage) for rung in lineage.rungs}

    facts = {
        "stage": LINEAGE,
        "recipe": base.recipe.name,
        "fingerprint": fingerprint(LINEAGE, inputs),
        "seed": base.recipe.seed,
        "settings": as_settings({LINEAGE: base.recipe.lineage}),
        "data": [],
        "inputs": inputs,
    }
    make_aside(out, facts, work)
    return out


def told(lineage: Lineage, found: Sequence[Step]) -> dict[str, Any]:
    """All that the table says and more, as plain values."""
    return {
        "metrics": {column: asdict(metric) for column, metric in lineage.metrics.items()},
        "rungs": [
            {
                "name": rung.name,
                **as_settings(rung.rung),
                "directory": rung.run.path.name,
                "scores": {column: asdict(score) for column, score in rung.scores.items()},
                "parameters": rung.parameters,
                "tokens": rung.tokens,
                "pretraining": asdict(rung.pretraining),
                "finetuning": asdict(rung.finetuning),
            }
            for rung in lineage.rungs
        ],
        "steps": [{**asdict(step), "may_be_chance": step.may_be_chance} for step in found],
    }


def _numbers(rung: Climbed, lineage: Lineage) -> dict[str, Any]:
    """A row of numbers; what was not measured is not there."""
    names = {
        column: metric.name if column == PRETRAIN else f"{column}_{metric.name}"
        for column, metric in lineage.metrics.items()
    }
    known = {
        **{names[column]: rung.scores[column].value for column in names},
        "parameters": rung.parameters,
        "tokens": rung.tokens,
        "pretraining_flops": rung.pretraining.flops,
        "finetuning_flops": rung.finetuning.flops,
        "seconds": rung.pretraining.seconds + rung.finetuning.seconds,
    }
    return {name: value for name, value in known.items() if value is not None}
