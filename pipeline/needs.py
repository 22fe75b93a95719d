"""What each stage that trains will need: parameters, FLOPs, memory, disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.model.cost import Cost, activation_bytes, cost_or_estimate
from pipeline.model.families import model_config, round_up
from pipeline.model.machine import Choice, choose, choose_for_many_shapes, takes_bfloat16
from pipeline.model.published import load_config
from pipeline.model.scaling import finetuning
from pipeline.model.vocabulary import vocabulary_size
from pipeline.recipe import Adapter, Finetune, Pretrain, Recipe
from pipeline.stages import stage_of
from pipeline.tasks import task_named
from pipeline.train.arguments import micro_batch
from pipeline.train.data.reading import Reading
from pipeline.train.memory import PROCESS, Batch, training_bytes


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
    """Bytes of each process at the most while it trains (``training_bytes``), with the task's data; on a GPU, of what
    lies there. Under privacy with a gradient for each example."""
    disk: float
    """Bytes of the finished model, and of the two checkpoints that are kept until then."""


def needs_of(recipe: Recipe, readings: Mapping[str, Reading]) -> Iterator[Need]:
    """What each stage that trains will need.

    Args:
        recipe: with plain numbers.
        readings: of the tasks' data (``read_apart``); of those whose data cannot be read nothing is told.
    """
    if recipe.model.start:
        own: Any = load_config(recipe.model.start)
    else:
        own = model_config(recipe.model, round_up(vocabulary_size(recipe)))
    if recipe.pretrain.steps:
        yield _need("pretrain", own, recipe.pretrain, recipe.model.context, trainings=1)
    for task, reading in readings.items():
        settings = recipe.tasks[task]
        config = load_config(settings.model) if settings.model else own
        settings = finetuning(settings, parameters=1, examples=reading.examples)
        trainings = 2 if settings.from_scratch and settings.adapter.method == "none" else 1
        head = task_named(task, settings).model_class
        stage, length = stage_of(task, settings), settings.max_tokens
        yield _need(stage, config, settings, length, trainings, head, reading.held)


def _need(
    stage: str,
    config: Any,
    settings: Pretrain | Finetune,
    length: int,
    trainings: int,
    head: str = "AutoModelForCausalLM",
    held: float = 0.0,
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
    memory += 0 if torch.cuda.is_available() else held
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
