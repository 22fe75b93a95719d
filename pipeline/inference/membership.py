"""Whether a fine-tuned model tells which examples it was trained on, beside the model that it started from.

What is found is no stage, as with lm-eval: it measures the model that is there, and stands in the run as an artefact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import DETAILS, MEMBERSHIP, Artifact, write_json
from pipeline.errors import GroundupError
from pipeline.inference.aside import Rows, make_aside
from pipeline.inference.finished import finished, finished_artifact
from pipeline.processes import on_main, say
from pipeline.recipe import Finetune, Watch
from pipeline.settings import as_settings, fingerprint, from_settings

if TYPE_CHECKING:
    from pipeline.evaluate.membership import Attack
    from pipeline.stages import Run


def measure_membership(run: Run, task: str) -> Artifact:
    """Attack a finished model and its start on as many examples of training as held-out ones.

    Args:
        run: whose model.
        task: that it was fine-tuned for.

    Returns:
        ``membership/STAGE`` of the run: a row for each attack.

    Raises:
        GroundupError: when the model is not finished, or what it started from is not there any more.
    """
    return on_main(lambda: _measure(run, task))


def _measure(run: Run, task: str) -> Artifact:
    measured = finished_artifact(run, task)
    made = measured.manifest()
    stage = str(made["stage"])
    out = run.artifact(f"{MEMBERSHIP}/{stage}")
    mark = fingerprint(MEMBERSHIP, measured.fingerprint())
    if out.is_complete(mark):
        return out
    start = _start(run, made, measured)

    def work() -> Rows:
        say(f"{stage}: membership inference, on the model and on what it started from")
        found, count = _attacks(run, task, made, start, out)
        intervals = {name: {"intervals": _ends(one)} for name, one in found.items()}
        write_json(out.path / DETAILS, intervals)
        return {name: {**one.values, "examples": count} for name, one in found.items()}

    facts = {
        "stage": f"{MEMBERSHIP}/{stage}",
        "recipe": run.recipe.name,
        "fingerprint": mark,
        "seed": made["seed"],
        "settings": as_settings({"finetune": made["settings"]["finetune"]}),
        "data": made["data"],
        "inputs": {stage: measured.fingerprint()},
    }
    make_aside(out, facts, work)
    return out


def _start(run: Run, made: Mapping[str, Any], measured: Artifact) -> str:
    """The model that fine-tuning began with."""
    named = made["settings"]["finetune"]["model"]
    if named:
        return str(named)
    below = run.artifact("pretrain")
    if made["inputs"].get("pretrain") != below.fingerprint():
        raise GroundupError(
            str(below.path),
            f"the pre-trained model is another one by now than {measured.path} started from",
            "fine-tune it again",
        )
    return str(below.path)


def _attacks(
    run: Run, name: str, made: Mapping[str, Any], start: str, out: Artifact
) -> tuple[dict[str, Attack], int]:
    """The attacks by name, and on how many examples, half of them of training."""
    from pipeline.model.machine import on_device
    from pipeline.train.finetune import bench_for
    from pipeline.train.membership import as_many, attacks, features_of, losses_of, trained_on

    settings, seed = from_settings(Finetune, made["settings"]["finetune"]), made["seed"]
    bench, model = bench_for(name, settings, start, made["settings"]["held_out"], seed, out, Watch())
    task, tokenizer, parts = bench.task, bench.tokenizer, bench.parts
    fitting = [e for e in parts.held_out if features_of(task, e, tokenizer, model.config)]
    members, others = as_many(trained_on(bench.encoded, task.settings, seed), fitting, seed)
    before = losses_of(task, on_device(model), tokenizer, [*members, *others])
    after = losses_of(task, finished(run, name).model, tokenizer, [*members, *others])
    return attacks(task, members, others, before, after, seed), len(members) + len(others)


def _ends(found: Attack) -> dict[str, dict[str, float]]:
    return {name: {"low": low, "high": high} for name, (low, high) in found.intervals.items()}
