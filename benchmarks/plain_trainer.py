"""Plain ``Trainer`` in float32 as ``run_clm.py`` of transformers uses it, taking turns.

That script's blocks are rows of an Arrow data set with mask and labels beside the ids, put together by
``default_data_collator``; all else is as ``TrainingArguments`` has it, but for what writes files.
"""

from __future__ import annotations

import tempfile

import numpy as np
from datasets import Dataset
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments, default_data_collator

from benchmarks.trainer_turns import TakeTurns
from benchmarks.turns import Training, Turns, training_from_arguments
from benchmarks.workload import config_of

_NEVER = 10**9


def blocks(training: Training) -> Dataset:
    """The tokens as ``run_clm.py`` leaves them: cut into blocks, labels a copy of the ids."""
    tokens = np.load(training.shard, mmap_mode="r").astype(np.int64)
    rows = tokens[: len(tokens) // training.context * training.context].reshape(-1, training.context)
    return Dataset.from_dict({"input_ids": rows, "attention_mask": np.ones_like(rows), "labels": rows})


def main(training: Training) -> None:
    """Train until there are no more turns."""
    turns = Turns(training.device)
    with tempfile.TemporaryDirectory() as place:
        trainer = Trainer(
            model=AutoModelForCausalLM.from_config(config_of(training)),
            args=TrainingArguments(
                place,
                max_steps=_NEVER,
                per_device_train_batch_size=training.micro_batch,
                gradient_accumulation_steps=training.batch // training.micro_batch,
                use_cpu=training.device == "cpu",
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
            ),
            train_dataset=blocks(training),
            data_collator=default_data_collator,
            callbacks=[TakeTurns(turns)],
        )
        trainer.train()


if __name__ == "__main__":
    main(training_from_arguments())
