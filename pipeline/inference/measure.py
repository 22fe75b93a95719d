"""Measuring finished models again, from their files alone, beside what was measured when they were made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import PREDICTIONS, Artifact, read_json_lines, write_json
from pipeline.errors import GroundupError
from pipeline.inference.finished import finished, finished_artifact, stock_model
from pipeline.recipe import ALIGNED, Dpo, Grpo, Model, Pretrain
from pipeline.settings import from_settings
from pipeline.stages import method_of, task_of

if TYPE_CHECKING:
    from pipeline.stages import Run
    from pipeline.tasks.base import Example

EVALUATION = "evaluation.json"


def measure_run(run: Run, tasks: Sequence[str]) -> None:
    """Load every finished model, predict its held-out part, print what it scored then and scores now.

    Writes ``evaluation.json`` into the run's directory: for each stage the metrics measured now.

    Args:
        run: whose models.
        tasks: that they were fine-tuned for, or dpo or grpo; none means every model.

    Raises:
        GroundupError: when nothing is finished, or an aligned model was measured on other examples.
    """
    names = ["pretrain", *map(run.stage_of, (*run.recipe.tasks, *ALIGNED))]
    wanted = [run.stage_of(task) for task in tasks] or names
    there = [name for name in wanted if run.artifact(name).manifest().get("complete")]
    if not there:
        raise GroundupError(
            str(run.path),
            "there is no finished model to measure",
            "run make pretrain, make finetune or make align",
        )
    results = {}
    for name in there:
        now = results[name] = _measured(run, name)
        _print(name, run.artifact(name).metrics()["model"], now)
    write_json(run.path / EVALUATION, results)
    print(f"→ {run.path / EVALUATION}")


def _measured(run: Run, stage: str) -> dict[str, float]:
    if stage == "pretrain":
        return measure_pretrained(run)
    return measure_aligned(run, method_of(stage)) if method_of(stage) else measure_task(run, task_of(stage))


def measure_aligned(run: Run, method: str) -> dict[str, float]:
    """Scores of an aligned model on the held-out pairs or problems, beside what it started from where that counts.

    Args:
        run: where it was aligned.
        method: dpo or grpo.

    Raises:
        GroundupError: when it is not finished, or the held-out part is another one by now.
    """
    from pipeline.train.align import dpo, grpo
    from pipeline.train.align.bench import BEFORE
    from pipeline.train.align.problems import read_problems

    artifact = finished_artifact(run, method)
    made = artifact.manifest()["settings"]
    if method == "grpo":
        problems = from_settings(Grpo, made["grpo"])
        _, asked = read_problems(problems, made["seed"])
        _recorded(artifact, [problem.example for problem in asked])
        return grpo.statistics_of(grpo.answers(*stock_model(artifact), asked, problems)).score()
    pairs = from_settings(Dpo, made["dpo"])
    held_out = dpo.read_pairs(pairs, made["held_out"], made["seed"]).held_out
    before = [line[BEFORE] for line in _recorded(artifact, held_out)]
    said = dpo.likelihoods(*stock_model(artifact), held_out, pairs)
    return dpo.statistics_of(said, before, pairs.beta).score()


def _recorded(artifact: Artifact, held_out: Sequence[Example]) -> list[dict[str, Any]]:
    """What was said of each of these examples when the model was made.

    Raises:
        GroundupError: when it was said of others.
    """
    file = artifact.path / PREDICTIONS
    lines = read_json_lines(file)
    told = [{name: line.get(name) for name in one.fields} for one, line in zip(held_out, lines, strict=False)]
    if len(lines) != len(held_out) or told != [one.fields for one in held_out]:
        raise GroundupError(
            str(file),
            "the data hold out other examples by now than those that the model was measured on",
            "bring the data back as they were, or run make align again",
        )
    return lines


def measure_task(run: Run, name: str) -> dict[str, Any]:
    """Scores of a finished task's model on the whole held-out part of the data that it was made from."""
    from pipeline.train.data.examples import read_examples

    made, settings = finished(run, name), run.artifact(run.stage_of(name)).manifest()["settings"]
    held_out = read_examples(made.task, settings["held_out"], settings["seed"]).held_out
    predictions = made.task.predict(made.model, made.tokenizer, held_out)
    return made.task.score(held_out, predictions)


def measure_pretrained(run: Run) -> dict[str, float]:
    """Held-out loss and bits per byte of the pre-trained model.

    Nothing for published weights without a corpus, and for other objectives than causal: they measured it at the end.
    """
    import torch

    from pipeline.evaluate.bits import bits_per_byte
    from pipeline.evaluate.predict import forward_batches
    from pipeline.model.machine import takes_bfloat16
    from pipeline.train.data.blocks import EvaluationRows
    from pipeline.train.loss import row_losses

    made = run.artifact("pretrain").manifest()["settings"]
    settings, shape = from_settings(Pretrain, made["pretrain"]), from_settings(Model, made["model"])
    if not settings.steps or not settings.is_causal:
        return {}
    shards = run.artifact("tokenizer").path / "shards"
    model, tokenizer = stock_model(run.artifact("pretrain"))
    rows = EvaluationRows(
        shards / "validation", shape.context, settings.evaluation_tokens, tokenizer.pad_token_id
    )
    features = [rows[i] for i in range(len(rows))]
    labels = torch.stack([row["labels"] for row in features])
    inputs = [{name: row[name] for name in ("input_ids", "position_ids")} for row in features]
    # in the precision of its training, which measured it so
    with torch.autocast(model.device.type, torch.bfloat16, enabled=takes_bfloat16(settings.precision)):
        total = sum(
            float(row_losses(outputs.logits, labels[batch].to(model.device)).sum())
            for batch, outputs in forward_batches(model, inputs, _stack, settings.micro_batch * shape.context)
        )
    size = len(tokenizer.decode(rows.predicted).encode())
    loss = total / len(rows.predicted)
    return {"bits_per_byte": bits_per_byte(loss, len(rows.predicted), size), "loss": loss}


def _stack(features: list[dict[str, Any]]) -> Any:
    import torch
    from transformers import BatchEncoding

    return BatchEncoding({name: torch.stack([f[name] for f in features]) for name in features[0]})


def _print(stage: str, then: dict[str, Any], now: dict[str, Any]) -> None:
    print(stage)
    for metric, value in now.items():
        before = f"{then[metric]:.4f} when made" if metric in then else "not measured when made"
        print(f"  {metric:18} {value:.4f} now, {before}")
