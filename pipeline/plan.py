"""What a run will need, and what would fail late; trains nothing."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.errors import GroundupError
from pipeline.launch import check_launch
from pipeline.model.cost import Cost, activation_bytes, cost_or_estimate, measured_flops_per_second
from pipeline.model.dial import position
from pipeline.model.families import model_config, round_up
from pipeline.model.machine import Choice, choose, choose_for_many_shapes, takes_bfloat16
from pipeline.model.peak import H100
from pipeline.model.published import load_config
from pipeline.model.scaling import finetuning, followed
from pipeline.model.vocabulary import vocabulary_size
from pipeline.processes import is_main
from pipeline.provenance import describe_hardware, hardware
from pipeline.recipe import Adapter, Corpus, Finetune, Pretrain, Recipe
from pipeline.report.tables import drawn, print_table
from pipeline.sources import Row, read_all, read_splits
from pipeline.sources.columns import text_column
from pipeline.sources.tolerance import tolerated
from pipeline.stages import Run, Stage, stage_of
from pipeline.tasks import task_named
from pipeline.tokenizer.report import embedding_cost
from pipeline.train.align.dpo import read_pairs
from pipeline.train.align.problems import read_problems
from pipeline.train.arguments import micro_batch
from pipeline.train.data.examples import read_examples, usable
from pipeline.train.memory import PROCESS, Batch, training_bytes

_UTILISATION = 0.4
"""Share of the measured matrix speed that training is taken to reach."""
_BYTES_A_CHARACTER = 2.5
"""Disk of the corpus and tokenizer stages while they work: raw and clean text and signatures, then token shards."""
_ROWS = 200
"""Rows of each source that are looked at."""


@dataclass(frozen=True)
class Need:
    """What one stage that trains will need; of a task, at most."""

    stage: str
    parameters: int
    trained: int
    """Parameters that are."""
    tokens: int
    flops: float
    memory: float
    """Bytes of each process at the most while it trains (``training_bytes``); on a GPU, of what lies there. Under
    privacy with a gradient for each example."""
    disk: float
    """Bytes of the finished model, and of the two checkpoints that are kept until then."""


def print_plan(run: Run) -> None:
    """Print the state of every stage, what each will need, and all that would fail late.

    Raises:
        GroundupError: when something would fail, after everything is printed.
    """
    if not is_main():
        return
    recipe = run.recipe
    problems = list(_problems(recipe))
    rate = measured_flops_per_second(takes_bfloat16(recipe.pretrain.precision))
    print(f"recipe {recipe.name}, in {run.path}")
    print(f"{describe_hardware(hardware())}: {rate / 1e9:,.0f} GFLOP/s in matrix products, measured now")
    print_table(
        drawn(["stage", "state", "from"], [_described(run, s) for s in run.stages().values()], words=3)
    )
    if recipe.pretrain.steps and not recipe.model.start:
        _print_size(recipe)
    try:
        needs = list(needs_of(recipe))
    except GroundupError:  # a published start or data that cannot be read: it is among the problems
        needs = []
    if needs:
        _print_needs(needs, rate)
        problems += _shortages(run, needs)
    for problem in problems:
        print(f"✗ {problem}")
    if problems:
        raise GroundupError(
            f"recipe '{recipe.name}'", f"{len(problems)} would fail", "mend what is marked with ✗ above"
        )
    print("✓ sources, columns, lengths, batches, memory and disk are in order")


def refuse_wrong_data(run: Run, tasks: Sequence[str]) -> None:
    """Read the whole data of tasks that wait for pre-training: what is wrong with them should not come after it.

    Raises:
        GroundupError: for the first mistake, naming its place and what to do.
    """
    if is_main() and not run.is_finished("pretrain"):
        for task in tasks:
            settings = run.recipe.tasks[task]
            if not settings.model:
                _check_task(task, settings, run.recipe.model.context)
                read_examples(task_named(task, settings), run.recipe.held_out, run.recipe.seed)


def _described(run: Run, stage: Stage) -> list[str]:
    artifact = run.artifact(stage.name)
    state = "to do"
    if run.is_finished(stage.name):
        state = "done"
    elif artifact.fingerprint() == run.fingerprint(stage):
        state = "goes on"
    elif artifact.fingerprint():
        state = "made anew: a setting or its data changed"
    return [stage.name, state, ", ".join(stage.data or stage.needs)]


def _print_size(recipe: Recipe) -> None:
    """What was set, beside what would follow from the dial, and the share of the vocabulary in the whole."""
    rows = [
        [f.setting, shown(f.value), "follows" if f.value == f.rule else f"set; {shown(f.rule)} would follow"]
        for f in followed(recipe)
    ]
    print(f"{recipe.model.family}, the dial at {position(recipe.model)}")
    print_table(drawn(["setting", "value", "from the dial"], rows, words=1))
    share = embedding_cost(recipe.model, vocabulary_size(recipe)).numbers()["embedding_share"]
    print(f"tokenizer: {recipe.tokenizer.algorithm}, {share:.0%} of the parameters are embeddings")


def shown(value: float) -> str:
    """A setting's number; whole ones with their thousands apart."""
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _print_needs(needs: Sequence[Need], rate: float) -> None:
    here = rate * _UTILISATION * (torch.cuda.device_count() if torch.cuda.is_available() else 1)
    head = ["", "parameters", "trained", "tokens", "FLOPs", "time here", "on one H100", "memory", "disk"]
    rows = [
        [
            need.stage,
            f"{need.parameters:,}",
            f"{need.trained:,}",
            f"{need.tokens:,}",
            f"{need.flops:.1e}",
            duration(need.flops / here),
            duration(need.flops / (H100 * _UTILISATION)),
            size(need.memory),
            size(need.disk),
        ]
        for need in needs
    ]
    print_table(drawn(head, rows))
    print(
        f"FLOPs are counted on the model. Times are for training at {_UTILISATION:.0%} of the speed in matrix "
        "products; preparing text and measuring come on top. A task's numbers are upper bounds: every example "
        "max-tokens long, the comparison from scratch included."
    )


def duration(seconds: float) -> str:
    """Seconds in the largest unit of which there are two."""
    for length, unit in ((365 * 86400, "years"), (86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.1f} s"


def size(count: float) -> str:
    """Bytes in MB or GB."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def needs_of(recipe: Recipe) -> Iterator[Need]:
    """What each stage that trains will need, of a recipe with plain numbers."""
    if recipe.model.start:
        own: Any = load_config(recipe.model.start)
    else:
        own = model_config(recipe.model, round_up(vocabulary_size(recipe)))
    if recipe.pretrain.steps:
        yield _need("pretrain", own, recipe.pretrain, recipe.model.context, trainings=1)
    for task, settings in recipe.tasks.items():
        config = load_config(settings.model) if settings.model else own
        if settings.passes:
            examples = read_examples(task_named(task, settings), recipe.held_out, recipe.seed).train
            settings = finetuning(settings, parameters=1, examples=len(examples))
        trainings = 2 if settings.from_scratch and settings.adapter.method == "none" else 1
        head = task_named(task, settings).model_class
        yield _need(stage_of(task, settings), config, settings, settings.max_tokens, trainings, head)


def _need(
    stage: str,
    config: Any,
    settings: Pretrain | Finetune,
    length: int,
    trainings: int,
    head: str = "AutoModelForCausalLM",
) -> Need:
    adapter = settings.adapter if isinstance(settings, Finetune) else Adapter()
    counted = cost_or_estimate(config, length, head, adapter)
    micro, accumulated = micro_batch(settings.global_batch, settings.micro_batch)
    tokens = settings.steps * settings.global_batch * length * trainings
    state = _optimizer_bytes(counted, settings)
    weights, trained = 4.0 * counted.parameters, 4.0 * counted.trained
    by_example = micro if isinstance(settings, Finetune) and settings.privacy.epsilon else 0
    flops = counted.flops_per_token * tokens / trainings
    batch = Batch(micro, length, accumulated > 1)
    try:
        memory = training_bytes(config, head, batch, _choice(settings, flops, length), state, adapter)
    except (RuntimeError, ValueError, TypeError):  # a model that cannot be run without numbers
        activations = activation_bytes(config, micro * length, takes_bfloat16(settings.precision))
        memory = _base_bytes(counted, settings) + 2 * trained + state + activations
        memory += 0 if torch.cuda.is_available() else PROCESS
    return Need(
        stage,
        counted.parameters,
        counted.trained,
        tokens,
        counted.flops_per_token * tokens,
        memory=memory + by_example * trained,
        disk=(trained if adapter.name else weights) + 2 * (trained + state),
    )


def _choice(settings: Pretrain | Finetune, flops: float, length: int) -> Choice:
    """How the stage will compute."""
    if isinstance(settings, Pretrain):
        return choose(settings.precision, settings.compile, settings.attention, flops, length)
    return choose_for_many_shapes(settings.precision, settings.compile, flops, settings.max_tokens)


def _base_bytes(counted: Cost, settings: Pretrain | Finetune) -> float:
    """Weights that are not trained: in float32; under LoRA the layers' in bfloat16 where it trains in that; NF4."""
    method = settings.adapter.method if isinstance(settings, Finetune) else "none"
    if method == "none":
        return 0.0
    halved = method == "lora" and takes_bfloat16(settings.precision)
    each = 0.5 if method == "qlora" else 2.0 if halved else 4.0
    return 4.0 * (counted.parameters - counted.matrix_parameters) + each * counted.matrix_parameters


def _optimizer_bytes(counted: Cost, settings: Pretrain | Finetune) -> float:
    """Two float32 numbers a trained parameter; one where Muon takes it."""
    in_muon = counted.matrix_parameters if settings.optimizer == "muon" else 0
    return 8.0 * counted.trained - 4.0 * in_muon


def _shortages(run: Run, needs: Sequence[Need]) -> Iterator[str]:
    place = next(p for p in (run.runs.absolute(), *run.runs.absolute().parents) if p.is_dir())
    free, wanted = shutil.disk_usage(place).free, sum(need.disk for need in needs)
    wanted += _BYTES_A_CHARACTER * run.recipe.corpus.megabytes * 1e6
    machine = hardware()
    memory = machine["memory_gb"] * 1e9
    if wanted > free:
        yield f"{place}: {size(wanted)} of disk are needed, {size(free)} are free; free some, or set --runs"
    room = min((a["memory_gb"] * 1e9 for a in machine["accelerators"]), default=memory)
    for need in needs:
        if need.memory > room:
            yield (
                f"{need.stage}: {size(need.memory)} of memory are needed, {size(room)} are there; "
                f"use a smaller --micro-batch, or shard over devices with recipes/launch/fsdp2.yaml"
            )


def _problems(recipe: Recipe) -> Iterator[str]:
    """What would fail late: sources, columns, rows, lengths, batches, published weights."""
    if recipe.model.start:
        yield from _refusal(load_config, recipe.model.start)
    if recipe.pretrain.steps:
        yield from _refusal(micro_batch, recipe.pretrain.global_batch, recipe.pretrain.micro_batch)
        yield from _refusal(check_launch, "pretrain", recipe.pretrain)
        for spec in (*recipe.corpus.sources, *recipe.pretrain.stream.sources):
            yield from _refusal(_check_text, spec, recipe.corpus)
    for task, settings in recipe.tasks.items():
        yield from _refusal(_check_task, task, settings, recipe.model.context)
    yield from _problems_of_aligning(recipe)


def _problems_of_aligning(recipe: Recipe) -> Iterator[str]:
    if recipe.dpo.data:
        yield from _refusal(read_pairs, recipe.dpo, recipe.held_out, recipe.seed)
    if recipe.grpo.data:
        yield from _refusal(read_problems, recipe.grpo, recipe.seed)


def _refusal(check: Callable[..., Any], *arguments: Any) -> Iterator[str]:
    try:
        check(*arguments)
    except GroundupError as error:
        yield str(error)


def _check_text(spec: str, settings: Corpus) -> None:
    def use(row: Row) -> None:
        if settings.text_column not in row.values:
            text_column(row, settings.text_column, "text-column")  # says which columns there are

    rows = tolerated(read_all(spec), settings.skip_bad_rows, use, lambda refusal: None)
    for row in itertools.islice(rows, _ROWS):
        use(row)


def _check_task(name: str, settings: Finetune, context: int) -> None:
    task = task_named(name, settings)
    check_launch(f"tasks.{name}", settings)
    micro_batch(settings.global_batch, settings.micro_batch)
    if settings.model:
        load_config(settings.model)
    elif settings.max_tokens > context:
        raise GroundupError(
            f"--tasks.{name}.max-tokens",
            f"{settings.max_tokens} is longer than the model's {context} positions",
            f"use at most {context}, or a larger --model.context",
        )
    if not settings.data:
        raise GroundupError(f"task '{name}'", "there is no data for it", "name some with --data")
    rows, held_out = read_splits(settings.data)
    if settings.eval_data:
        held_out = read_all(settings.eval_data, "test")
    for part in (rows, held_out) if held_out is not None else (rows,):
        if not list(task.examples(itertools.islice(usable(part, task), _ROWS))):
            raise GroundupError(settings.data, "its first rows hold no example", "check the columns")
