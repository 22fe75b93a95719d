"""A forward and backward pass of a model that FSDP2 spreads over processes, cut by Accelerate."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import torch
import torch.distributed as dist
from accelerate import FullyShardedDataParallelPlugin
from accelerate.utils.fsdp_utils import fsdp2_prepare_model
from torch.distributed.tensor import DTensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from pipeline.model.families import model_config
from pipeline.recipe import Model
from pipeline.train.head import put_loss_head

ROWS, LENGTH = 4, 16
Gradients = dict[str, torch.Tensor]


def _model(family: str) -> PreTrainedModel:
    torch.manual_seed(0)
    config = model_config(Model(family=family, depth=2, width=64, context=LENGTH), 64)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32).train()


def _ids() -> torch.Tensor:
    return torch.randint(0, 64, (ROWS, LENGTH), generator=torch.Generator().manual_seed(1))


def whole_gradients(family: str) -> tuple[float, Gradients]:
    """The model's own loss, and its gradients, in one process."""
    model, ids = _model(family), _ids()
    loss = model(input_ids=ids, labels=ids, use_cache=False).loss
    loss.backward()
    return loss.item(), {name: p.grad for name, p in model.named_parameters()}


def _sharded(model: PreTrainedModel, precision: str) -> PreTrainedModel:
    """As Accelerate does it on GPUs: it has no FSDP on CPUs, so it is told of what it needs to know alone."""
    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2, auto_wrap_policy="transformer_based_wrap", cpu_ram_efficient_loading=False
    )
    if precision != "no":
        plugin.set_mixed_precision(precision)
    mesh = dist.device_mesh.init_device_mesh("cpu", (dist.get_world_size(),), mesh_dim_names=("dp_shard",))
    return fsdp2_prepare_model(
        SimpleNamespace(
            state=SimpleNamespace(fsdp_plugin=plugin),
            torch_device_mesh=mesh,
            parallelism_config=SimpleNamespace(fsdp_dim_names=("dp_shard",)),
            mixed_precision=precision,
            is_main_process=dist.get_rank() == 0,
            device=torch.device("cpu"),
        ),
        model,
    )


def sharded_gradients(family: str, precision: str) -> tuple[float, Gradients, dict[str, float]]:
    """Loss and gradients, gathered from all processes, each of which sees its share of the rows.

    Also which part of each weight this process holds.
    """
    model, ids = _model(family), _ids()
    head = put_loss_head(model)
    assert head is not None
    model = _sharded(model, precision)
    mine = ids.chunk(dist.get_world_size())[dist.get_rank()]
    targets = ROWS * (LENGTH - 1)
    with head.told(mine, targets):
        carried = model(input_ids=mine, use_cache=False).logits
    (carried.float().sum() * dist.get_world_size()).backward()  # gradients are averaged
    total = head.losses.sum() / targets
    dist.all_reduce(total)
    weights = dict(model.named_parameters())
    assert all(isinstance(weight.grad, DTensor) for weight in weights.values())
    shares = {name: weight.to_local().numel() / weight.numel() for name, weight in weights.items()}
    return total.item(), {name: weight.grad.full_tensor() for name, weight in weights.items()}, shares


if __name__ == "__main__":
    dist.init_process_group("gloo")
    torch.save(sharded_gradients(*sys.argv[1:3]), f"{sys.argv[3]}/{os.environ['RANK']}.pt")
    dist.destroy_process_group()
