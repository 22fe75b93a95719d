"""What each stage that trains will need: parameters, tokens, FLOPs, memory, disk."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.model import history
from pipeline.model.cost import Cost, activation_bytes, cost_or_estimate, logits_bytes
from pipeline.model.families import writes
from pipeline.model.machine import Choice, choose, choose_for_many_shapes, compiling, takes_bfloat16
from pipeline.model.parts import Parts, parameters_by_part
from pipeline.model.published import load_config
from pipeline.model.scaling import finetuning
from pipeline.model.vocabulary import own_config
from pipeline.recipe import Adapter, Finetune, Pretrain, Recipe
from pipeline.stages import stage_of
from pipeline.tasks import task_named
from pipeline.train.arguments import micro_batch
from pipeline.train.data.reading import Reading
from pipeline.train.memory import PROCESS, Batch, Memory, training_memory
from pipeline.train.objectives import objective_named


@dataclass(frozen=True)
class Need:
    """What one stage that trains will need."""

    stage: str
    parts: Parts
    """Parameters by what they are for."""
    trained: int
    """Parameters that are."""
    steps: int
    """Optimiser steps, those of the comparison from scratch included."""
    global_batch: int
    """Sequences in each of them."""
    tokens: int
    """Padding left out where the lengths of a task's examples are known; else every example is max-tokens long."""
    flops: float
    memory: Memory
    """Of each process at the most while it trains, with the task's data; on a GPU, of what lies there. Under privacy
    with a gradient for each example."""
    micro_batch: int
    """Sequences that a process holds at a time."""
    disk: float
    """Bytes of the finished model, and of the two checkpoints that are kept until then."""

    @property
    def parameters(self) -> int:
        return self.parts.all

    @property
    def state(self) -> float:
        """Bytes of weights, of all gradients and of what the optimiser keeps."""
        return self.memory.weights + 4.0 * self.trained + self.memory.optimizer


@dataclass(frozen=True)
class Training:
    """A model, and how it is trained."""

    config: Any
    settings: Pretrain | Finetune
    """With steps."""
    length: int
    """Tokens of the longest row."""
    head: str = "AutoModelForCausalLM"
    """The auto class."""

    @property
    def adapter(self) -> Adapter:
        return self.settings.adapter if isinstance(self.settings, Finetune) else Adapter()

    @property
    def trainings(self) -> int:
        """Two where the comparison from scratch is trained too."""
        is_compared = isinstance(self.settings, Finetune) and self.settings.from_scratch
        return 2 if is_compared and self.adapter.method == "none" else 1

    def choice(self, flops: float) -> Choice:
        """How it will compute here, by the FLOPs of one training."""
        settings = self.settings
        compiles = compiling(settings.compile, self.config.model_type)
        if isinstance(settings, Pretrain):
            return choose(settings.precision, compiles, settings.attention, flops, self.length)
        return choose_for_many_shapes(settings.precision, compiles, flops, self.length)


def trainings_of(recipe: Recipe, readings: Mapping[str, Reading]) -> Iterator[tuple[str, Training]]:
    """Stages that train, and what they do.

    Args:
        recipe: with plain numbers.
        readings: of the tasks' data (``read_apart``); of those whose data cannot be read nothing is told.

    What counts trains nothing.
    """
    own = own_config(recipe)
    counts = own.model_type == history.COUNTED
    if recipe.pretrain.steps and not counts:
        head = objective_named(recipe.pretrain.objective).model_class
        yield "pretrain", Training(own, recipe.pretrain, recipe.model.context, head)
    for task, reading in readings.items():
        settings = recipe.tasks[task]
        if counts and not settings.model:
            continue
        config = load_config(settings.model) if settings.model else own
        head = task_named(task, settings).class_for(config)
        if not writes(config, head):
            continue  # it is among the problems
        settings = finetuning(settings, parameters=1, examples=reading.examples)
        yield stage_of(task, settings), Training(config, settings, settings.max_tokens, head)


def needs_of(recipe: Recipe, readings: Mapping[str, Reading]) -> Iterator[Need]:
    """What each stage that trains will need, with the arguments of ``trainings_of``."""
    read = {stage_of(task, recipe.tasks[task]): reading for task, reading in readings.items()}
    for stage, training in trainings_of(recipe, readings):
        yield _need(stage, training, read.get(stage), recipe.plan.processes)


def _need(stage: str, training: Training, reading: Reading | None, processes: int) -> Need:
    settings, adapter = training.settings, training.adapter
    lengths = reading.lengths if reading else None
    mean = lengths.mean if lengths else float(training.length)
    counted = cost_or_estimate(training.config, round(mean), training.head, adapter)
    micro, accumulated = micro_batch(settings.global_batch, settings.micro_batch, processes)
    tokens = round(settings.steps * settings.global_batch * mean)
    batch = Batch(micro, training.length, accumulated > 1)
    memory = _memory(training, counted, batch, training.choice(counted.flops_per_token * tokens))
    is_private = isinstance(settings, Finetune) and settings.privacy.epsilon
    by_example = 4.0 * counted.trained * micro if is_private else 0.0
    held = reading.held if reading and not torch.cuda.is_available() else 0.0
    weights, trained = 4.0 * counted.parameters, 4.0 * counted.trained
    return Need(
        stage=stage,
        parts=parameters_by_part(training.config, training.head),
        trained=counted.trained,
        steps=settings.steps * training.trainings,
        global_batch=settings.global_batch,
        tokens=tokens * training.trainings,
        flops=counted.flops_per_token * tokens * training.trainings,
        memory=dataclasses.replace(memory, gradients=memory.gradients + by_example, data=held),
        micro_batch=micro,
        disk=(trained if adapter.name else weights) + 2 * (trained + memory.optimizer),
    )


def _memory(training: Training, counted: Cost, batch: Batch, choice: Choice) -> Memory:
    config, settings = training.config, training.settings
    state = _optimizer_bytes(counted, settings)
    try:
        return training_memory(config, training.head, batch, choice, state, training.adapter)
    except (RuntimeError, ValueError, TypeError):  # a model that cannot be run without numbers
        tokens, trained = batch.rows * batch.length, 4.0 * counted.trained
        bfloat16 = takes_bfloat16(settings.precision)
        return Memory(
            weights=_base_bytes(counted, settings) + trained,
            gradients=trained,
            optimizer=state,
            activations=activation_bytes(config, tokens, bfloat16),
            logits=logits_bytes(config, tokens, bfloat16),
            process=0.0 if torch.cuda.is_available() else PROCESS,
        )


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
