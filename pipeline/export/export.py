"""Making exports: written beside, read again, compared, and kept only if they are what they have to be.

They are no stages, as with what lm-eval measures: each is made of the model that is there, on demand, and stands in the
run as an artefact with a manifest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import DETAILS, EXPORT, Artifact, write_json
from pipeline.errors import GroundupError
from pipeline.export.check import TOLERANCE, Compared, Loaded, compare, refuse_wrong
from pipeline.export.formats import Format, formats_named
from pipeline.export.held_out import HeldOut, held_out
from pipeline.export.original import Original, opened, weights_size
from pipeline.inference.aside import Rows, make_aside
from pipeline.processes import on_main, say
from pipeline.settings import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.stages import Run

ORIGINAL = "original"
_FINETUNE = "finetune/"


def export(run: Run, task: str, names: Sequence[str] = (), limit: int = 0) -> list[Artifact]:
    """Write a finished model in the formats of others, and compare each with it on held-out data.

    Args:
        run: whose model.
        task: that it was fine-tuned for, or dpo or grpo; empty takes the pre-trained one.
        names: of formats; none takes all that can be made, and says of the others why not.
        limit: held-out examples or documents to compare on, the first ones; 0 takes all.

    Returns:
        ``export/MODEL/FORMAT`` of the run, one for each format.

    Raises:
        GroundupError: when the model is not finished, or a named format is unknown, cannot be made of it or here, or
            did not come out as it has to.
    """
    formats = formats_named(names)
    return on_main(lambda: _export(run, task, formats, bool(names), limit))


def place_of(stage: str) -> str:
    """Where the exports of a stage's model are, in the directory of a run."""
    return f"{EXPORT}/{stage.removeprefix(_FINETUNE)}"


def _export(run: Run, task: str, formats: Sequence[Format], named: bool, limit: int) -> list[Artifact]:
    with opened(run, task) as original:
        if named:  # before the first of them is made
            for made in formats:
                made.refuse(original)
        on = held_out(run, original, limit)
        found = []
        for made in formats:
            try:
                found.append(_made(run, original, made, on, limit))
            except GroundupError as error:
                if named:
                    raise
                say(f"left out: {error}")
    if not found:
        raise GroundupError(
            original.stage, "none of the formats can be made of it here", "see the reasons above"
        )
    return found


def _made(run: Run, original: Original, made: Format, on: HeldOut, limit: int) -> Artifact:
    made.refuse(original)
    stage = original.stage
    out = run.artifact(f"{place_of(stage)}/{made.name}")
    inputs = {stage: run.artifact(stage).fingerprint()}
    mark = fingerprint(EXPORT, made.name, limit, inputs, made.versions())
    if out.is_complete(mark):
        say(f"{place_of(stage)}/{made.name}: done before, nothing to do ({out.path})")
        return out

    def work() -> Rows:
        say(f"{place_of(stage)}/{made.name}: written, and compared with the original")
        with out.writing() as beside:
            made.write(original, beside, on.texts(original.tokenizer))
            read = _read(original, made, beside)
            itself = Loaded(original.model.to(read.model.device), original.tokenizer)
            compared = compare(itself, read, on)
            refuse_wrong(made, compared)
            size = weights_size(beside, *made.weights)
        write_json(
            out.path / DETAILS,
            {made.name: {"metric": on.metric, "unit": on.unit, "entries": len(on.entries)}},
        )
        return _rows(original, made, compared, on, size)

    facts = {
        "stage": f"{place_of(stage)}/{made.name}",
        "recipe": run.recipe.name,
        "fingerprint": mark,
        "seed": run.artifact(stage).manifest()["seed"],
        "settings": {EXPORT: {"format": made.name, "limit": limit, "tolerance": _tolerance(made)}},
        "data": [],
        "inputs": inputs,
    }
    make_aside(out, facts, work, made.versions())
    say(f"→ {out.path}")
    return out


def _tolerance(made: Format) -> float | None:
    return TOLERANCE if made.exact else None


def _read(original: Original, made: Format, directory: Path) -> Loaded:
    """The export, from its files alone."""
    tokenizer = made.tokenizer(directory)
    if original.task is not None:
        original.task.prepare_tokenizer(tokenizer)
    return Loaded(made.model(directory, original.head), tokenizer)


def _rows(
    original: Original, made: Format, compared: Compared, on: HeldOut, size: int
) -> dict[str, dict[str, Any]]:
    rate = f"{on.unit}_per_second"
    before: dict[str, Any] = {"bytes": original.size, on.metric: compared.before}
    after: dict[str, Any] = {
        "bytes": size,
        "ratio": size / original.size,
        "largest_difference": compared.largest,
        "agreement": compared.agreement,
        "same_tokens": compared.same_tokens,
        on.metric: compared.after,
    }
    if made.runs_here:
        before[rate], after[rate] = compared.rate_before, compared.rate_after
    return {ORIGINAL: before, made.name: after}
