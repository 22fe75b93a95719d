"""A bare loop of PyTorch around the stock model, with every trick and nothing else, taking turns.

Model and loss are compiled as one, so that no float32 logits are written; bfloat16 by autocast, AdamW fused, rows
straight from the memory map, a thread for each physical core. Nothing is logged, saved or scheduled.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM

from benchmarks.turns import WAITING, Training, Turns, training_from_arguments
from benchmarks.workload import config_of
from pipeline.model.machine import use_physical_cores

_ATTENTION = {"cpu": "eager", "cuda": "sdpa"}
"""The fastest of transformers' implementations once compiled, for rows of the benchmarks' lengths."""


def batches(training: Training) -> Iterator[torch.Tensor]:
    """Micro-batches of ids, ``(micro_batch, context)``, on the device, pass after pass."""
    tokens = np.load(training.shard, mmap_mode="r")
    rows = tokens[: len(tokens) // training.context * training.context].reshape(-1, training.context)
    whole = len(rows) // training.micro_batch
    for number in count():
        start = number % whole * training.micro_batch
        ids = torch.from_numpy(rows[start : start + training.micro_batch].astype(np.int64))
        if training.device == "cuda":
            ids = ids.pin_memory().cuda(non_blocking=True)
        yield ids


def main(training: Training) -> None:
    """Train until there are no more turns."""
    turns = Turns(training.device)
    use_physical_cores()
    torch.manual_seed(0)
    attention = _ATTENTION[training.device]
    model = AutoModelForCausalLM.from_config(config_of(training), attn_implementation=attention)
    model.to(training.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)
    accumulated = training.batch // training.micro_batch

    @torch.compile
    def loss_of(ids: torch.Tensor) -> torch.Tensor:
        logits = model(input_ids=ids, use_cache=False).logits
        return functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())

    rows = batches(training)
    while True:
        for _ in range(accumulated):
            with torch.profiler.record_function(WAITING):
                ids = next(rows)
            with torch.autocast(training.device, torch.bfloat16):
                loss = loss_of(ids)
            (loss / accumulated).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        turns.end_of_step()


if __name__ == "__main__":
    main(training_from_arguments())
