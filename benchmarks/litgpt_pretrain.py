"""LitGPT's own ``litgpt pretrain`` on given tokens, taking turns; it runs in an environment that has LitGPT.

What the command does is done by the function behind it, with a data module of ours through its interface. The turns
are taken where the data set is asked for a batch, which is when the step before has ended. LitGPT compiles the
model by itself. Its precision is the argument before the last.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from litgpt.args import EvalArgs, TrainArgs
from litgpt.config import Config
from litgpt.data import DataModule
from litgpt.pretrain import setup
from torch.utils.data import DataLoader, Dataset

from benchmarks.turns import Training, Turns, training_from_arguments

_NEVER = 10**9


class Rows(Dataset):
    """Rows of a shard, one token longer than what the model reads: the last one is only predicted.

    Args:
        training: names the shard.
        turns: taken after every batch; None takes none.
    """

    def __init__(self, training: Training, turns: Turns | None) -> None:
        self.training, self.turns = training, turns
        self.tokens = np.load(training.shard, mmap_mode="r")

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.training.context

    def __getitem__(self, index: int) -> torch.Tensor:
        if self.turns is not None and index and index % self.training.batch == 0:
            self.turns.end_of_step()
        start = index * self.training.context
        return torch.from_numpy(self.tokens[start : start + self.training.context + 1].astype(np.int64))


class TokenRows(DataModule):
    """LitGPT's interface to the rows."""

    def __init__(self, training: Training, turns: Turns) -> None:
        super().__init__()
        self.training, self.turns = training, turns

    def connect(self, **_: object) -> None:
        """What it is told is in the training already."""

    def train_dataloader(self) -> DataLoader:
        """All rows in their order."""
        return self._loader(self.turns)

    def val_dataloader(self) -> DataLoader:
        """The same rows; a little of them is looked at before training."""
        return self._loader(None)

    def _loader(self, turns: Turns | None) -> DataLoader:
        return DataLoader(Rows(self.training, turns), batch_size=self.training.micro_batch, drop_last=True)


def main(training: Training, precision: str) -> None:
    """Train until there are no more turns."""
    torch.set_float32_matmul_precision("high")  # as the command does
    config = Config(
        name=training.family,
        block_size=training.context,
        n_layer=training.depth,
        n_embd=training.width,
        n_head=training.width // 64,
        vocab_size=training.vocabulary,
        padded_vocab_size=training.vocabulary,
        intermediate_size=training.feed_forward,
        norm_class_name="RMSNorm",
        mlp_class_name="LLaMAMLP",
        rotary_percentage=1.0,
        parallel_residual=False,
        bias=False,
    )
    with tempfile.TemporaryDirectory() as place:
        setup(
            config.name,
            model_config=config,
            out_dir=Path(place),
            precision=precision,
            data=TokenRows(training, Turns(training.device)),
            train=TrainArgs(
                save_interval=None,
                log_interval=10,
                global_batch_size=training.batch,
                micro_batch_size=training.micro_batch,
                max_tokens=_NEVER * training.tokens_per_step,
                max_norm=1.0,
                lr_warmup_steps=10,
                tie_embeddings=True,
            ),
            eval=EvalArgs(interval=_NEVER, max_iters=1, final_validation=False),
            devices=1,
            logger_name="csv",
        )


if __name__ == "__main__":
    main(training_from_arguments(), sys.argv[-2])
