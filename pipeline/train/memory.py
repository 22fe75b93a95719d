"""The memory of a training, counted: a step is run on tensors without content, and what lives at a time is added up."""

from __future__ import annotations

import copy
import weakref
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
from pipeline.model.machine import Choice
from pipeline.model.published import set_attention
from pipeline.recipe import Adapter
from pipeline.train.head import DecoderLossHead, LossHead
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


class Living(TorchDispatchMode):
    """Adds up the bytes of all storages that live.

    Args:
        gaps: what small ones are multiplied by.
    """

    def __init__(self, gaps: float) -> None:
        super().__init__()
        self.gaps = gaps
        self.bytes = self.peak = 0.0
        self._known: set[int] = set()

    def see(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage, once, until it is gone."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:
            taken = size if size >= _MAPPED else self.gaps * size
            self._known.add(key)
            self.bytes += taken
            self.peak = max(self.peak, self.bytes)
            weakref.finalize(storage, self._gone, key, taken)

    def _gone(self, key: int, taken: float) -> None:
        self._known.remove(key)
        self.bytes -= taken

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


def training_bytes(
    config: PretrainedConfig,
    head: str,
    batch: Batch,
    choice: Choice,
    state: float,
    adapter: Adapter = Adapter(),  # noqa: B008 - frozen
) -> float:
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
    living = Living(1.0 if gpu or choice.compiles else _GAPS)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cuda" if gpu else "cpu"), living:
        model = _model(config, head, choice, adapter)
        for tensor in (*model.parameters(), *model.buffers()):
            living.see(tensor)
        for _ in range(2 if batch.accumulated else 1):
            _step(model, config, batch, choice.bfloat16)
    return living.peak + state + (0.0 if gpu else PROCESS)


def _model(config: PretrainedConfig, head: str, choice: Choice, adapter: Adapter) -> PreTrainedModel:
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
        kind = DecoderLossHead if config.is_encoder_decoder else LossHead
        model.set_output_embeddings(kind(layer, Shaping()))
    return model.train()


def _step(model: PreTrainedModel, config: PretrainedConfig, batch: Batch, bfloat16: bool) -> None:
    """One micro-batch forward and backward; rows are packed or padded, and have targets everywhere."""
    ids = torch.zeros(batch.rows, batch.length, dtype=torch.long)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    layer = model.get_output_embeddings()
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=bfloat16):
        if isinstance(layer, LossHead):
            with layer.told(ids):
                loss = model(**inputs, use_cache=False).logits.mean() + layer.losses.sum()
        else:
            outputs = model(**inputs)
            loss = sum(part.float().sum() for part in outputs.values() if isinstance(part, torch.Tensor))
    loss.backward()
