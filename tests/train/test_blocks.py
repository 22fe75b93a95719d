"""Blocks of tokens: every token once in a pass, the same order everywhere."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import GroundupError
from pipeline.tokenizer.shards import open_shards, write_shard
from pipeline.train.blocks import EvaluationBlocks, TrainingBlocks
from pipeline.train.examples import training_order


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    documents = [[*range(start, start + 9), 999] for start in range(0, 500, 10)]
    tokens, ends = np.array(documents, np.uint16).ravel(), np.arange(10, 501, 10)
    for name, part in (("a", slice(0, 30)), ("b", slice(30, 50))):
        piece = tokens[part.start * 10 : part.stop * 10]
        write_shard(piece, ends[: len(piece) // 10], tmp_path / f"{name}.npy", tmp_path / "beside")
    return tmp_path


def test_shards_hold_documents_end_to_end(shards: Path) -> None:
    first, second = open_shards(shards)
    assert first[:11].tolist() == [*range(9), 999, 10] and first[:].dtype == np.uint16
    assert (len(first), len(second)) == (300, 200) and first.ends.tolist() == list(range(10, 301, 10))


def test_a_pass_sees_every_block_once_and_passes_differ(shards: Path) -> None:
    blocks = TrainingBlocks(shards, length=8, blocks=124, seed=1)  # 37 + 25 blocks a pass
    first = [tuple(blocks[i]["input_ids"].tolist()) for i in range(62)]
    second = [tuple(blocks[i]["input_ids"].tolist()) for i in range(62, 124)]
    assert Counter(first) == Counter(second) and first != second and len(set(first)) == 62
    again = TrainingBlocks(shards, length=8, blocks=124, seed=1)
    assert tuple(again[100]["input_ids"].tolist()) == second[38]


def test_evaluation_predicts_each_token_once(shards: Path) -> None:
    blocks = EvaluationBlocks(shards, length=8, tokens=100)
    predicted = [t for i in range(len(blocks)) for t in blocks[i]["input_ids"][1:].tolist()]
    assert (
        predicted
        == blocks.predicted
        == np.concatenate([shard[:] for shard in open_shards(shards)])[1 : len(predicted) + 1].tolist()
    )


def test_few_held_out_tokens_make_one_shorter_block(shards: Path) -> None:
    blocks = EvaluationBlocks(shards, length=1000, tokens=50)
    assert len(blocks) == 1 and len(blocks[0]["input_ids"]) == 50 and len(blocks.predicted) == 49


def test_too_little_text_says_what_to_do(shards: Path) -> None:
    with pytest.raises(GroundupError, match="fewer than 1000 tokens"):
        TrainingBlocks(shards, length=1000, blocks=1, seed=0)


def test_training_order_brings_like_lengths_together_and_loses_none() -> None:
    lengths = [(i * 37) % 100 + 1 for i in range(640)]
    order = training_order(lengths, global_batch=16, steps=40, seed=0)
    assert sorted(order) == list(range(640))
    spread = [
        max(batch) - min(batch)
        for batch in ([lengths[i] for i in order[s : s + 16]] for s in range(0, 640, 16))
    ]
    assert sum(spread) / len(spread) < 10
    assert order == training_order(lengths, global_batch=16, steps=40, seed=0)
