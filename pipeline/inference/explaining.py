"""Explanations of a finished model: of its surest mistakes, and how faithful they are on held-out examples.

What is found on held-out examples is no stage, as with lm-eval: it measures the model that is there, and stands in the
run as an artefact.
"""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import (
    DETAILS,
    EXPLAIN,
    PREDICTIONS,
    WORST,
    Artifact,
    read_json_lines,
    write_json,
    write_json_lines,
)
from pipeline.errors import GroundupError
from pipeline.explain.asked import AREAS, RANDOM, Asked
from pipeline.inference.aside import Rows, make_aside
from pipeline.inference.finished import finished, finished_artifact, stock_model
from pipeline.processes import on_main, say
from pipeline.recipe import ALIGNED, Finetune
from pipeline.settings import fingerprint, from_settings

if TYPE_CHECKING:
    from pipeline.evaluate.said import Wanted
    from pipeline.evaluate.statistics import Statistics
    from pipeline.explain.explanation import Explainable, Explanation
    from pipeline.stages import Run
    from pipeline.tasks.base import Example

_SHORT = 60
"""Characters of what is told of a mistake in a line."""


@dataclass(frozen=True)
class Subject:
    """A finished model, and what tells what it reads and says."""

    task: Explainable
    model: Any
    tokenizer: Any


def subject_of(run: Run, task: str) -> Subject:
    """The model of a task, of dpo or grpo, or, without a name, the pre-trained one.

    Raises:
        GroundupError: when it is not finished, or Captum is not installed.
    """
    if importlib.util.find_spec("captum") is None:
        raise GroundupError(
            "explain", "captum is not installed", "run make setup, or pip install 'groundup[explain]'"
        )
    from pipeline.explain.continuing import Continuing
    from pipeline.tasks import task_named

    artifact = finished_artifact(run, task)
    if not task:
        return Subject(Continuing(), *stock_model(artifact))
    if task in ALIGNED:
        model, tokenizer = stock_model(artifact)
        chat = task_named("chat", Finetune())
        chat.prepare_tokenizer(tokenizer)
        return Subject(chat, model, tokenizer)
    made = finished(run, task)
    return Subject(made.task, made.model, made.tokenizer)


def mistakes(run: Run, task: str, count: int) -> list[Example]:
    """The examples that a task's model is most wrong about, the surest mistakes first.

    Raises:
        GroundupError: of a model that was measured on no examples.
    """
    from pipeline.tasks.base import Example

    if not task or task in ALIGNED:
        raise GroundupError("explain", "this model has no list of its mistakes", "give a text with --text")
    lines = read_json_lines(finished_artifact(run, task).path / WORST)
    return [Example(line, str(line["place"]), str(line["group"])) for line in lines[:count]]


def about(example: Example) -> str:
    """Where a mistake stands, and what is known of it in few words."""
    known = {name: value for name, value in example.fields.items() if name not in ("place", "group")}
    short = [f"{name} {value}" for name, value in known.items() if len(str(value)) <= _SHORT]
    return f"{example.place}: {', '.join(short)}"


def measure_explanations(run: Run, task: str, count: int, wanted: Wanted, asked: Asked) -> Artifact:
    """How faithful each method is on held-out examples, in the mean, beside random orders.

    Args:
        run: whose model.
        task: that it was fine-tuned for.
        count: examples, drawn by the seed of the fine-tuning.
        wanted: which of the things that are said.
        asked: methods, and how they are measured.

    Returns:
        ``explain/TASK`` of the run: a row of areas for each method, and one for random orders.

    Raises:
        GroundupError: when the model is not finished or has no held-out examples, and where no method can explain it.
    """
    return on_main(lambda: _measure(run, task, count, wanted, asked))


def _measure(run: Run, task: str, count: int, wanted: Wanted, asked: Asked) -> Artifact:
    if not task or task in ALIGNED:
        raise GroundupError("explain --held-out", "this model has no held-out examples", "name a --task")
    measured = finished_artifact(run, task)
    made, out = measured.manifest(), run.artifact(f"{EXPLAIN}/{task}")
    settings = {"examples": count, "wanted": asdict(wanted), "asked": asdict(asked)}
    mark = fingerprint(EXPLAIN, measured.fingerprint(), settings)
    if out.is_complete(mark):
        return out
    subject = subject_of(run, task)
    examples = _held_out(made, count)

    def work() -> Rows:
        say(f"{task}: {len(examples)} held-out examples are explained")
        found = _explained(subject, examples, wanted, asked)
        groups = [example.group for example, _ in found]
        rows, details = judged([explanation for _, explanation in found], groups, made["seed"])
        write_json(out.path / DETAILS, details)
        write_json_lines(out.path / PREDICTIONS, (_line(e, explanation) for e, explanation in found))
        return rows

    facts = {
        "stage": f"{EXPLAIN}/{task}",
        "recipe": run.recipe.name,
        "fingerprint": mark,
        "seed": made["seed"],
        "settings": {"explain": settings, "finetune": made["settings"]["finetune"]},
        "data": made["data"],
        "inputs": {str(made["stage"]): measured.fingerprint()},
    }
    make_aside(out, facts, work)
    say(f"→ {out.path}")
    return out


def _held_out(made: Mapping[str, Any], count: int) -> list[Example]:
    from pipeline.stages import task_of
    from pipeline.tasks import task_named
    from pipeline.train.data.examples import read_examples

    settings, seed = from_settings(Finetune, made["settings"]["finetune"]), made["seed"]
    task = task_named(task_of(str(made["stage"])), settings)
    there = read_examples(task, made["settings"]["held_out"], seed).held_out
    return random.Random(seed).sample(there, min(count, len(there)))


def _explained(
    subject: Subject, examples: Sequence[Example], wanted: Wanted, asked: Asked
) -> list[tuple[Example, Explanation]]:
    """Those that can be explained; how many cannot is said.

    Raises:
        GroundupError: where none can.
    """
    from pipeline.explain.explanation import explain_example

    found, refusals = [], []
    for example in examples:
        try:
            explanation = explain_example(
                subject.task, subject.model, subject.tokenizer, example, wanted, asked
            )
            found.append((example, explanation))
        except GroundupError as refusal:
            refusals.append(refusal)
    if not found:
        raise refusals[0]
    if refusals:
        say(f"{len(refusals)} of them cannot be explained, such as the first: {refusals[0]}")
    return found


def judged(
    explanations: Sequence[Explanation], groups: Sequence[str], seed: int
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, Any]]]:
    """Mean areas by method and of random orders; their 95 % bootstrap intervals, and those of differences to random.

    Args:
        explanations: by the same methods, each with random orders.
        groups: of each example; those of one are drawn together.
        seed: of the bootstrap samples.
    """
    from pipeline.evaluate.statistics import coarse_enough, draw

    systems = _statistics(explanations)
    draws = draw(systems, coarse_enough(groups), seed)
    rows = {name: {**found.score(), "examples": len(explanations)} for name, found in systems.items()}
    details: dict[str, dict[str, Any]] = {
        name: {"intervals": {area: _ends(*draws.interval(name, area)) for area in AREAS}} for name in systems
    }
    for name in systems:
        if name != RANDOM:
            differences = {area: draws.difference(name, RANDOM, area) for area in AREAS}
            details[name]["against"] = {
                area: {**_ends(one.low, one.high), "p": one.p} for area, one in differences.items()
            }
    return rows, details


def _statistics(explanations: Sequence[Explanation]) -> dict[str, Statistics]:
    from pipeline.evaluate.statistics import means

    names = [one.method for one in explanations[0].attributions]
    found = {
        name: means(
            deletion=[e.attributions[n].faithfulness.deletion.area for e in explanations],
            insertion=[e.attributions[n].faithfulness.insertion.area for e in explanations],
        )
        for n, name in enumerate(names)
    }
    chance = [e.chance.mean for e in explanations]
    return {**found, RANDOM: means(deletion=chance, insertion=chance)}


def _line(example: Example, explanation: Explanation) -> dict[str, Any]:
    """What predictions.jsonl has of one: what was explained, and the areas."""
    areas = {
        one.method: {
            "deletion": one.faithfulness.deletion.area,
            "insertion": one.faithfulness.insertion.area,
            **one.facts,
        }
        for one in explanation.attributions
    }
    return {
        "place": example.place,
        "group": example.group,
        "explained": explanation.name,
        "value": explanation.value,
        "empty": explanation.empty,
        "tokens": sum(token.movable for token in explanation.tokens),
        RANDOM: explanation.chance.mean,
        **areas,
    }


def _ends(low: float, high: float) -> dict[str, float]:
    return {"low": low, "high": high}
