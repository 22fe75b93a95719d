"""Measuring finished models again, from their files alone, beside what was measured when they were made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import write_json
from pipeline.errors import GroundupError
from pipeline.inference.finished import finished
from pipeline.recipe import Model, Pretrain
from pipeline.settings import from_settings
from pipeline.stages import task_of

if TYPE_CHECKING:
    from pipeline.stages import Run

EVALUATION = "evaluation.json"


def measure_run(run: Run, tasks: Sequence[str]) -> None:
    """Load every finished model, predict its held-out part, print what it scored then and scores now.

    Writes ``evaluation.json`` into the run's directory: for each stage the metrics measured now.

    Raises:
        GroundupError: when nothing is finished.
    """
    names = ["pretrain", *map(run.stage_of, run.recipe.tasks)]
    wanted = [run.stage_of(task) for task in tasks] or names
    there = [name for name in wanted if run.artifact(name).manifest().get("complete")]
    if not there:
        raise GroundupError(
            str(run.path), "there is no finished model to measure", "run make pretrain or make finetune"
        )
    results = {}
    for name in there:
        artifact, task = run.artifact(name), task_of(name)
        now = measure_pretrained(run) if name == "pretrain" else measure_task(run, task)
        results[name] = now
        _print(name, artifact.metrics()["model"], now)
    write_json(run.path / EVALUATION, results)
    print(f"→ {run.path / EVALUATION}")


def measure_task(run: Run, name: str) -> dict[str, Any]:
    """Scores of a finished task's model on the whole held-out part of the data that it was made from."""
    from pipeline.train.examples import read_examples

    made, settings = finished(run, name), run.artifact(run.stage_of(name)).manifest()["settings"]
    held_out = read_examples(made.task, settings["held_out"], settings["seed"]).held_out
    predictions = made.task.predict(made.model, made.tokenizer, held_out)
    return made.task.score(held_out, predictions)


def measure_pretrained(run: Run) -> dict[str, float]:
    """Held-out loss and bits per byte of the pre-trained model; nothing for published weights without a corpus."""
    import torch

    from pipeline.evaluate.bits import bits_per_byte
    from pipeline.evaluate.predict import forward_batches
    from pipeline.model.machine import on_device
    from pipeline.model.published import load_model, load_tokenizer
    from pipeline.train.blocks import EvaluationRows
    from pipeline.train.loss import row_losses

    made = run.artifact("pretrain").manifest()["settings"]
    settings, shape = from_settings(Pretrain, made["pretrain"]), from_settings(Model, made["model"])
    if not settings.steps:
        return {}
    path, shards = str(run.artifact("pretrain").path), run.artifact("tokenizer").path / "shards"
    model, tokenizer = on_device(load_model(path, "AutoModelForCausalLM")), load_tokenizer(path)
    rows = EvaluationRows(
        shards / "validation", shape.context, settings.evaluation_tokens, tokenizer.pad_token_id
    )
    features = [rows[i] for i in range(len(rows))]
    labels = torch.stack([row["labels"] for row in features])
    inputs = [{name: row[name] for name in ("input_ids", "position_ids")} for row in features]
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
