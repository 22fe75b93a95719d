"""Write the table of fine-tuning's speed in docs/performance.md: Groundup beside the Trainer as example scripts use it.

.venv/bin/python -m benchmarks.finetuning runs/quickstart [STEPS] [HELD_OUT]

All start from a finished run's pre-trained model and train on the same encoded examples of the quickstart's tasks,
with the same batch, rates and seeds, taking turns. The example scripts, run_glue.py and run_qa.py of transformers,
pad every example to one length, shuffle, and compute in float32; Groundup's own way is ``Bench.measure``, as
``groundup finetune`` calls it, its log and its measuring included. Both are then measured by the same predictions.
Rows without a score train a few steps, for their speed alone: padding does not change what is learnt.
"""

from __future__ import annotations

import copy
import os
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import (
    DataCollatorWithPadding,
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

from benchmarks.pages import PERFORMANCE, ROOT, write_between
from pipeline.artifacts import LOG, Artifact, read_log, write_json
from pipeline.provenance import describe_hardware, hardware
from pipeline.recipe import Compile, Watch
from pipeline.recipe_files import load_recipe
from pipeline.train.data.examples import Parts
from pipeline.train.finetune import Bench, bench_for
from pipeline.train.schedule import schedule_arguments

SEEDS = (0, 1, 2)
FEW = 12
"""Steps of a row that has its speed alone."""
RESULTS = ROOT / "benchmarks" / "results" / "finetuning.json"
THREADS = torch.get_num_threads()


@dataclass(frozen=True)
class Script:
    """A contender that pads every example to one length."""

    name: str
    length: int
    bfloat16: bool = False
    scored: bool = False


SCRIPTS = {
    "sentiment": (
        Script("run_glue.py", 192, scored=True),
        Script("run_glue.py in bfloat16", 192, bfloat16=True),
    ),
    "qa": (
        Script("run_qa.py", 256, scored=True),
        Script("run_qa.py in bfloat16", 256, bfloat16=True),
        Script("run_qa.py at its own length", 384),
    ),
}
"""The first of a task is what Groundup is compared with, at the recipe's length."""
OURS, COMPILED = "Groundup", "Groundup, compiled"


@dataclass(frozen=True)
class Outcome:
    """One training."""

    samples_per_second: float
    padding: float
    """Share of all tokens that went through the model."""
    score: float | None
    """By the task's main metric, of the held-out part."""


Found = dict[str, dict[str, list[Outcome]]]
"""By task and contender, one a seed."""


def by_script(script: Script, bench: Bench, model: PreTrainedModel) -> Outcome:
    """The Trainer in its stock settings, as the example scripts use it."""
    torch.set_num_threads(THREADS)
    task, settings = bench.task, bench.task.settings
    steps = settings.steps if script.scored else min(FEW, settings.steps)
    set_seed(bench.seed)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(bench.out.path),
            max_steps=steps,
            per_device_train_batch_size=settings.global_batch,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            max_grad_norm=settings.gradient_clipping,
            **schedule_arguments(replace(settings, steps=steps)),
            bf16=script.bfloat16,
            use_cpu=not torch.cuda.is_available(),
            seed=bench.seed,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=torch.cuda.is_available(),
        ),
        train_dataset=bench.encoded.features,
        data_collator=DataCollatorWithPadding(
            bench.tokenizer, padding="max_length", max_length=script.length
        ),
    )
    trainer.remove_callback(PrinterCallback)
    seconds = trainer.train().metrics["train_runtime"]
    length = statistics.mean(len(ids) for ids in bench.encoded.features["input_ids"])
    score = None
    if script.scored:
        predictions = task.predict(model, bench.tokenizer, bench.parts.held_out)
        score = task.score(bench.parts.held_out, predictions)[task.main_metric]
    return Outcome(steps * settings.global_batch / seconds, 1 - length / script.length, score)


def by_groundup(bench: Bench, model: PreTrainedModel) -> Outcome:
    """As the stage does it; where it compiles, its speed is that of the second half of the steps."""
    settings = bench.task.settings
    data: Any = bench.trainer(
        "padding", copy.deepcopy(model), bench.out.checkpoints / "padding"
    ).train_dataset
    items = [[len(feature["input_ids"]) for feature in data[i]] for i in range(len(data))]
    padding = 1 - sum(map(sum, items)) / sum(len(item) * max(item) for item in items)
    predictions = bench.measure("model", model).predictions
    scores = bench.task.score(bench.parts.held_out, predictions)
    ends = {line["step"]: line["seconds"] for line in read_log(bench.out.path / LOG) if "seconds" in line}
    first = settings.steps // 2 if settings.compile == "yes" else 0
    seconds = ends[settings.steps] - ends.get(first, 0.0)
    return Outcome(
        (settings.steps - first) * settings.global_batch / seconds, padding, scores[bench.task.main_metric]
    )


def measure(run: Path, steps: int, held_out: int, place: Path) -> Found:
    """Outcomes by task and contender, one a seed; each begins with the same weights, the head included."""
    recipe, start = load_recipe("quickstart"), str(run / "pretrain")
    found: Found = {}
    for name, scripts in SCRIPTS.items():
        asked = replace(
            recipe.tasks[name], steps=steps, optimizer="adamw", from_scratch=False, checkpoint_every=10**9
        )
        turns: list[Script | str] = [*scripts, OURS, COMPILED]
        found[name] = {_name(contender): [] for contender in turns}
        for seed in SEEDS:
            bench, model = bench_for(
                name, asked, start, recipe.held_out, seed, Artifact(place / name), Watch()
            )
            every = max(1, len(bench.parts.held_out) // held_out)
            bench = replace(bench, parts=Parts(bench.parts.train, bench.parts.held_out[::every]))
            for contender in turns[seed:] + turns[:seed]:
                out = Artifact(place / f"{name}-{_name(contender)}-{seed}")
                out.path.mkdir()
                mine, theirs = replace(bench, out=out), copy.deepcopy(model)
                if isinstance(contender, Script):
                    outcome = by_script(contender, mine, theirs)
                else:
                    compiles: Compile = "yes" if contender == COMPILED else "auto"
                    mine.task.settings = replace(mine.task.settings, compile=compiles)
                    outcome = by_groundup(mine, theirs)
                found[name][_name(contender)].append(outcome)
                print(f"{name}, seed {seed}, {_name(contender)}: {outcome}", flush=True)
    return found


def _name(contender: Script | str) -> str:
    return contender.name if isinstance(contender, Script) else contender


def table(found: Found) -> list[str]:
    """Medians of the speeds and of their ratios in each round; scores of the seeds."""
    lines = [
        "| task | contender | padding | samples/s | of the script's | score, by seed | mean |",
        "| --- | --- | ---: | ---: | ---: | --- | ---: |",
    ]
    for task, contenders in found.items():
        usual = next(iter(contenders.values()))
        for name, outcomes in contenders.items():
            speeds = [outcome.samples_per_second for outcome in outcomes]
            ratio = statistics.median(
                ours / other.samples_per_second for ours, other in zip(speeds, usual, strict=True)
            )
            scores = [outcome.score for outcome in outcomes if outcome.score is not None]
            by_seed = ", ".join(f"{score:.3f}" for score in scores)
            mean = f"{statistics.mean(scores):.3f} ± {statistics.stdev(scores):.3f}" if scores else ""
            padding = statistics.mean(outcome.padding for outcome in outcomes)
            lines.append(
                f"| {task} | {name} | {padding:.1%} | {statistics.median(speeds):.1f} | {ratio:.2f} "
                f"| {by_seed} | {mean} |"
            )
    return lines


def main(run: Path, steps: int, held_out: int) -> None:
    """Measure, print the table, write it between the two marks of the page, and all rounds as JSON."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with tempfile.TemporaryDirectory() as place:
        found = measure(run, steps, held_out, Path(place))
    lines = table(found)
    print("\n".join(lines))
    machine = describe_hardware(hardware())
    rounds = {
        task: {name: [asdict(outcome) for outcome in outcomes] for name, outcomes in contenders.items()}
        for task, contenders in found.items()
    }
    RESULTS.parent.mkdir(exist_ok=True)
    write_json(RESULTS, {"machine": machine, "steps": steps, "rounds": rounds})
    intro = f"{steps} steps, {len(SEEDS)} seeds, on {machine}; scores are accuracy and F1, ± their deviation."
    write_between(PERFORMANCE, "finetuning", "\n".join([intro, "", *lines]))


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        int(sys.argv[2]) if len(sys.argv) > 2 else 100,
        int(sys.argv[3]) if len(sys.argv) > 3 else 800,
    )
