"""Measuring finished models again, from their files alone, beside what was measured when they were made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import PREDICTIONS, read_json_lines, write_json
from pipeline.errors import GroundupError
from pipeline.inference.finished import finished
from pipeline.recipe import ALIGNED, Dpo, Grpo, Model, Pretrain
from pipeline.settings import from_settings
from pipeline.stages import method_of, task_of

if TYPE_CHECKING:
    from pipeline.stages import Run

EVALUATION = "evaluation.json"


def measure_run(run: Run, tasks: Sequence[str]) -> None:
    """Load every finished model, predict its held-out part, print what it scored then and scores now.

    Writes ``evaluation.json`` into the run's directory: for each stage the metrics measured now.

    Raises:
        GroundupError: when nothing is finished.
    """
    names = ["pretrain", *map(run.stage_of, (*run.recipe.tasks, *ALIGNED))]
    wanted = [run.stage_of(task) for task in tasks] or names
    there = [name for name in wanted if run.artifact(name).manifest().get("complete")]
    if not there:
        raise GroundupError(
            str(run.path), "there is no finished model to measure", "run make pretrain or make finetune"
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
        run: whose stage ``align/METHOD`` is complete.
        method: dpo or grpo.
    """
    from pipeline.model.machine import on_device
    from pipeline.model.published import load_model, load_tokenizer
    from pipeline.train.align import dpo, grpo
    from pipeline.train.align.bench import BEFORE
    from pipeline.train.align.problems import read_problems

    artifact = run.artifact(run.stage_of(method))
    made, path = artifact.manifest()["settings"], str(artifact.path)
    model, tokenizer = on_device(load_model(path, "AutoModelForCausalLM")), load_tokenizer(path)
    if method == "grpo":
        problems = from_settings(Grpo, made["grpo"])
        _, asked = read_problems(problems, made["seed"])
        return grpo.statistics_of(grpo.answers(model, tokenizer, asked, problems)).score()
    pairs = from_settings(Dpo, made["dpo"])
    held_out = dpo.read_pairs(pairs, made["held_out"], made["seed"]).held_out
    before = [line[BEFORE] for line in read_json_lines(artifact.path / PREDICTIONS)]
    return dpo.statistics_of(dpo.likelihoods(model, tokenizer, held_out, pairs), before, pairs.beta).score()


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
