"""The memory of a training, counted: a step is run on tensors without content, and what lives at a time is added up."""

from __future__ import annotations

import copy
import weakref
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from transformers import PretrainedConfig, PreTrainedModel

from pipeline.model.adapters import attach, hold_in_bfloat16
from pipeline.model.families import is_encoder
from pipeline.model.machine import Choice
from pipeline.model.published import set_attention
from pipeline.recipe import Adapter
from pipeline.train.head import InPlaceLossHead, LossHead
from pipeline.train.loss import Shaping, linear_cross_entropy

PROCESS = 620e6
"""Bytes of a process on a CPU before its first step, weights left out: the interpreter, torch, transformers and the
Trainer (measured: x86-64, Linux, torch 2.13 for CPUs). Shards are mapped, and pages of theirs that were read count as
long as the system has room for them: a few megabytes in a short training."""
_MAPPED = 32 * 2**20
"""glibc maps pieces of this size for themselves and gives them back; smaller ones share a heap (man 3 mallopt)."""
_GAPS = 1.35
"""What such a heap takes of what lives in it, for the gaps that pieces leave fit others badly: fitted to a few
trainings of four million parameters (docs/training.md). Layers that are compiled keep less
than is counted here, by about as much."""


@dataclass(frozen=True)
class Batch:
    """The largest micro-batch of a training."""

    rows: int
    length: int
    """Tokens in a row."""
    accumulated: bool
    """Whether gradients of others are there when it goes through."""


@dataclass(frozen=True)
class Memory:
    """Bytes that one process of a training takes at the most, by what they are for."""

    weights: float
    gradients: float
    optimizer: float
    """What the optimiser keeps of each parameter."""
    activations: float
    """All that a step makes on its way and that is there at the most, weights cast to bfloat16 included."""
    logits: float
    """With the numbers of as many that the loss takes; of a few rows at a time where the output layer takes it."""
    process: float = 0.0
    """On a CPU: the interpreter with its libraries, and gaps that pieces of memory leave."""
    data: float = 0.0
    """On a CPU: what reading the task's data leaves."""

    @property
    def total(self) -> float:
        return self.tensors + self.process + self.data

    @property
    def tensors(self) -> float:
        """What lies on a GPU."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.logits


class Living(TorchDispatchMode):
    """Adds up the bytes of all storages that live, by what they are for.

    Args:
        gaps: what small ones are multiplied by.
        vocabulary: entries of the logits.
    """

    def __init__(self, gaps: float, vocabulary: int = 0) -> None:
        super().__init__()
        self.gaps, self.vocabulary = gaps, vocabulary
        self.bytes = self.peak = 0.0
        self.at_peak: dict[str, float] = {}
        """By what they are for; ``process`` is the gaps."""
        self._now: defaultdict[str, float] = defaultdict(float)
        self._known: dict[int, str] = {}

    def see(self, tensor: torch.Tensor, kind: str = "") -> None:
        """Count a tensor's storage, once, until it is gone.

        Args:
            tensor: any.
            kind: what it is for, a field of ``Memory``, also if it was taken for another before; without one it is
                logits or activations, by its shape.
        """
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        known = self._known.get(key)
        if known and kind:
            self._count(known, size, -1)
        if not known or kind:
            self._known[key] = kind or self._kind(tensor)
            self._count(self._known[key], size, 1)
        if not known:
            weakref.finalize(storage, self._gone, key, size)

    def see_gradient(self, parameter: torch.nn.Parameter) -> None:
        """What was made on the way is the parameter's gradient from now on."""
        if parameter.grad is not None:
            self.see(parameter.grad, "gradients")

    def _kind(self, tensor: torch.Tensor) -> str:
        is_logits = self.vocabulary and tensor.ndim > 1 and tensor.shape[-1] == self.vocabulary
        return "logits" if is_logits else "activations"

    def _count(self, kind: str, size: int, sign: int) -> None:
        gap = 0.0 if size >= _MAPPED else (self.gaps - 1) * size
        self._now[kind] += sign * size
        self._now["process"] += sign * gap
        self.bytes += sign * (size + gap)
        if self.bytes > self.peak:
            self.peak, self.at_peak = self.bytes, dict(self._now)

    def _gone(self, key: int, size: int) -> None:
        self._count(self._known.pop(key), size, -1)

    def __torch_dispatch__(
        self, operator: Any, types: Any, arguments: Any = (), options: Mapping[str, Any] | None = None
    ) -> Any:
        if operator is torch.ops.groundup.linear_cross_entropy.default:
            with self:  # by what it does inside
                found = linear_cross_entropy(*arguments, **(options or {}))
        else:
            found = operator(*arguments, **(options or {}))
        tree_map_only(torch.Tensor, self.see, found)
        return found


def training_memory(
    config: PretrainedConfig,
    head: str,
    batch: Batch,
    choice: Choice,
    state: float,
    adapter: Adapter = Adapter(),  # noqa: B008 - frozen
) -> Memory:
    """The most that a training takes: of the process on a CPU, of the allocator's tensors on a GPU.

    It is weights, the optimiser's state, and a forward and backward pass of the largest micro-batch, whose every
    operation runs on tensors that have a shape and no content (torch's ``FakeTensorMode``). On a GPU it is what
    ``torch.cuda.max_memory_allocated`` would tell; that was not measured.

    Args:
        config: of the model.
        head: the auto class.
        batch: the largest micro-batch.
        choice: how to compute.
        state: bytes that the optimiser keeps.
        adapter: what is trained of it.

    Raises:
        RuntimeError: for a model that looks at numbers on its way, or has weights that are quantised.
    """
    gpu = torch.cuda.is_available()
    vocabulary = getattr(config.get_text_config(), "vocab_size", 0)
    living = Living(1.0 if gpu or choice.compiles else _GAPS, vocabulary)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cuda" if gpu else "cpu"), living:
        model = trained_alike(config, head, choice, adapter)
        for tensor in (*model.parameters(), *model.buffers()):
            living.see(tensor, "weights")
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(living.see_gradient)
        for _ in range(2 if batch.accumulated else 1):
            forward_and_backward(model, batch, choice.bfloat16)
    parts = living.at_peak
    return Memory(
        weights=parts.get("weights", 0.0),
        gradients=parts.get("gradients", 0.0),
        optimizer=state,
        activations=parts.get("activations", 0.0),
        logits=parts.get("logits", 0.0),
        process=parts.get("process", 0.0) + (0.0 if gpu else PROCESS),
    )


def trained_alike(
    config: PretrainedConfig,
    head: str,
    choice: Choice,
    adapter: Adapter = Adapter(),  # noqa: B008 - frozen
) -> PreTrainedModel:
    """A model from random weights that computes as the one that is trained does, with its output layer's loss.

    Raises:
        RuntimeError: for weights that are quantised.
    """
    if adapter.method == "qlora":
        raise RuntimeError("weights in 4 bits are made of numbers")
    config = copy.deepcopy(config)
    if config.pad_token_id is None:  # heads for classes want one
        config.pad_token_id = 0
    model = getattr(transformers, head).from_config(config, dtype=torch.float32)
    # Variable-length kernels run on whole numbers only; SDPA's keep as much.
    set_attention(model, "eager" if choice.attention == "eager" else "sdpa")
    if adapter.method != "none":
        model = attach(model, adapter, head)
        if choice.bfloat16:
            hold_in_bfloat16(model)
    layer = model.get_output_embeddings()
    if type(layer) is nn.Linear:
        kind = InPlaceLossHead if config.is_encoder_decoder else LossHead
        model.set_output_embeddings(kind(layer, Shaping()))
    return model.train()


def forward_and_backward(model: PreTrainedModel, batch: Batch, bfloat16: bool) -> None:
    """One micro-batch forward and backward; rows are packed or padded, and have targets everywhere."""
    ids = torch.zeros(batch.rows, batch.length, dtype=torch.long)
    inputs = {"input_ids": ids}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    elif not is_encoder(model.config):  # else the library would look into the mask
        inputs["attention_mask"] = torch.ones_like(ids)
    layer = model.get_output_embeddings()
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=bfloat16):
        if isinstance(layer, LossHead):
            with layer.told(ids):
                loss = model(**inputs, use_cache=False).logits.mean() + layer.losses.sum()
        else:
            outputs = model(**inputs)
            loss = sum(part.float().sum() for part in outputs.values() if isinstance(part, torch.Tensor))
    loss.backward()
