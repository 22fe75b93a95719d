"""A tokenizer, its shards and a recipe for each objective: small enough to be trained in a second."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import Artifact
from pipeline.model.published import load_tokenizer
from pipeline.recipe import Corruption, Model, Pretrain, Recipe, Tokenizer, Watch
from pipeline.tokenizer.encode import encode_texts, load_encoder
from pipeline.tokenizer.shards import write_shard
from pipeline.tokenizer.train import train_tokenizer
from pipeline.train.data.chunks import CorruptedRows
from pipeline.train.objectives import objective_of
from pipeline.train.pretrain import pretrain

FAMILIES = {"masked": "bert", "span-corruption": "t5", "replaced-token": "electra"}
CONTEXT, VOCABULARY, SENTINELS = 32, 420, 8
TOKENS = Tokenizer(vocabulary=VOCABULARY, mask=True, sentinels=SENTINELS)
_WORDS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def texts(count: int) -> list[str]:
    """Days of the week in their order, each text from another one on."""
    return [" ".join(_WORDS[(start + n) % 7] for n in range(40)) for start in range(count)]


def monotonous(count: int) -> list[str]:
    """Each text one day, again and again."""
    return [" ".join([_WORDS[number % 7]] * 40) for number in range(count)]


def tokenizer_stage(directory: Path, settings: Tokenizer = TOKENS, **shards: list[str]) -> Path:
    """A directory as the tokenizer stage leaves it.

    Args:
        directory: to be made.
        settings: of the tokenizer.
        shards: documents of ``train`` and ``validation``.
    """
    parts = shards or {"train": texts(40), "validation": texts(7)}
    tokenizer = train_tokenizer(parts["train"], settings, VOCABULARY, CONTEXT)
    tokenizer.save_pretrained(directory)
    encoder = load_encoder(directory / "tokenizer.json")
    for part, documents in parts.items():
        ids = [[*found, tokenizer.eos_token_id] for found in encode_texts(encoder, documents, part)]
        ends = np.cumsum([len(found) for found in ids])
        write_shard(
            np.concatenate(ids).astype(np.uint16), ends, directory / "shards" / part / "a.npy", directory
        )
    return directory


def recipe_for(objective: str, corruption: Corruption = Corruption(), **pretraining: Any) -> Recipe:  # noqa: B008
    """A recipe with plain numbers."""
    settings: dict[str, Any] = {
        "steps": 6,
        "global_batch": 4,
        "micro_batch": 2,
        "learning_rate": 3e-3,
        "optimizer": "adamw",
        "precision": "float32",
        "compile": "no",
        "evaluation_tokens": 200,
        "evaluate_every": 3,
        "checkpoint_every": 2,
    }
    return Recipe(
        name="small",
        seed=1,
        tokenizer=TOKENS,
        model=Model(
            FAMILIES.get(objective, "llama"), depth=2, width=64, heads=2, kv_heads=2, context=CONTEXT
        ),
        pretrain=Pretrain(objective=objective, corruption=corruption, **{**settings, **pretraining}),
        watch=Watch(energy=False),
    )


def trained(recipe: Recipe, stage: Path, out: Path, *callbacks: Any) -> dict[str, dict[str, Any]]:
    """Pre-train, and what was measured."""
    out.mkdir(parents=True, exist_ok=True)
    return {row: dict(found) for row, found in pretrain(recipe, stage, Artifact(out), callbacks).items()}


def training_rows(objective: str, stage: Path, checkpoints: Path) -> CorruptedRows:
    """Those of the small recipe."""
    made = objective_of(recipe_for(objective), load_tokenizer(str(stage)), stage / "shards")
    rows = made.training_rows(checkpoints)
    assert isinstance(rows, CorruptedRows)
    return rows


if __name__ == "__main__":  # two rows of each objective, in a process of its own
    for name in FAMILIES:
        found = training_rows(name, Path(sys.argv[1]), Path(sys.argv[1]))
        for index in (7, 3):
            print({key: values.tolist() for key, values in found[index].items()})
