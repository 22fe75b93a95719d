"""A training of a few steps that is watched: a tiny model on random tokens; as a program, in many processes too."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.utils.data import Dataset
from transformers import (
    AutoModelForCausalLM,
    PreTrainedTokenizerFast,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from pipeline.model.families import model_config
from pipeline.model.out_of_memory import Parts
from pipeline.processes import world_size
from pipeline.recipe import Model, Pretrain
from pipeline.train.faults.guard import Guard
from pipeline.train.optimizer import optimizer_factory
from pipeline.train.watching.energy import Energy
from pipeline.train.watching.log import Log, read_log
from pipeline.train.watching.meter import Meter
from pipeline.train.watching.samples import Samples
from pipeline.train.watching.trainer import MeteredTrainer

LENGTH, BATCH, FLOPS, PEAK = 16, 2, 1000.0, 1e9


@dataclass
class Tokens(Dataset):
    """Sequences of random tokens; the last quarter of each is padding."""

    size: int
    seconds: float = 0.0
    """What reading one takes."""

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        time.sleep(self.seconds)
        ids = torch.randint(0, 128, (LENGTH,), generator=torch.Generator().manual_seed(index))
        mask = (torch.arange(LENGTH) < 3 * LENGTH // 4).long()
        return {"input_ids": ids, "attention_mask": mask, "labels": torch.where(mask == 1, ids, -100)}


class FailsAt(TrainerCallback):
    """A process that dies before a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: object) -> None:
        if state.global_step == self.step - 1:
            raise RuntimeError("the machine is gone")


def watched_trainer(
    directory: Path,
    *,
    steps: int = 6,
    train: Dataset | None = None,
    held_out: Dataset | None = None,
    callbacks: Iterable[TrainerCallback] = (),
    meter: Meter | None = None,
    guard: Guard | None = None,
    parts: Parts | None = None,
    **arguments: Any,
) -> MeteredTrainer:
    """Muon and a falling rate; a line of the log at every step, a checkpoint at every second, one measurement in
    three where there is held-out data."""
    set_seed(0)
    config = model_config(Model(family="llama", depth=1, width=64, context=LENGTH), 128)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return MeteredTrainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(directory / "checkpoints"),
            max_steps=steps,
            per_device_train_batch_size=BATCH // world_size(),
            lr_scheduler_type="linear",
            train_sampling_strategy="sequential",
            logging_steps=1,
            save_steps=2,
            eval_strategy="steps" if held_out is not None else "no",
            eval_steps=3,
            use_cpu=True,
            disable_tqdm=True,
            **arguments,
        ),
        train_dataset=train or Tokens(steps * BATCH),
        eval_dataset=held_out,
        optimizer_cls_and_kwargs=optimizer_factory(Pretrain()),
        callbacks=[Log(directory / "log.jsonl", {}), *callbacks],
        meter=meter or Meter(FLOPS, PEAK),
        guard=guard,
        parts=parts,
    )


def letters() -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens are characters."""
    plain = Tokenizer(models.WordLevel({chr(code): code for code in range(128)}, unk_token="?"))
    plain.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="~")


def logged(directory: Path, field: str) -> list[dict[str, Any]]:
    """Lines of the log that say something."""
    return [entry for entry in read_log(directory / "log.jsonl") if field in entry]


def train_with_everything(directory: Path) -> None:
    """Measurements, samples and energy."""
    samples = Samples(("abc", "b"), letters(), Log(directory / "log.jsonl", {}), new_tokens=3)
    meter = Meter(FLOPS, PEAK, Energy("FRA", directory))
    watched_trainer(directory, held_out=Tokens(4), callbacks=[samples], meter=meter).train()


if __name__ == "__main__":
    train_with_everything(Path(sys.argv[1]))
