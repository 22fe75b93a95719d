"""Rows of packed documents: every token once in a pass, the same order everywhere, no sight of a neighbour."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from pipeline.errors import GroundupError
from pipeline.model.families import model_config
from pipeline.recipe import Model
from pipeline.tokenizer.shards import open_shards, write_shard
from pipeline.train.data.blocks import EvaluationRows, TrainingRows, features
from pipeline.train.loss import row_losses


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


def _targets(row: dict[str, torch.Tensor]) -> list[int]:
    return row["labels"][row["labels"] >= 0].tolist()


def test_a_pass_predicts_every_token_once_and_passes_differ(shards: Path, tmp_path: Path) -> None:
    rows = TrainingRows(shards, 16, rows=10**6, seed=1, padding=7, plans=tmp_path / "plans")
    size = int(rows.first[-1])
    first, second = ([_targets(rows[i]) for i in range(start, start + size)] for start in (0, size))
    counted = Counter(token for row in first for token in row)
    assert counted[999] == 50 and all(counted[t] == 1 for t in range(500) if t % 10 < 9 and t not in (0, 300))
    assert sum(counted.values()) == 498  # all but the first token of each of two shards
    assert sorted(first) == sorted(second) and first != second
    again = TrainingRows(shards, 16, rows=10**6, seed=1, padding=7, plans=tmp_path / "plans")
    assert _targets(again[size + 3]) == second[3]


def test_a_row_restarts_positions_and_targets_with_each_document() -> None:
    row = features([np.array([9, 1, 2]), np.array([9, 3])], length=8, padding=7)
    assert row["input_ids"].tolist() == [9, 1, 2, 9, 3, 7, 7, 7]
    assert row["labels"].tolist() == [-100, 1, 2, -100, 3, -100, -100, -100]
    assert row["position_ids"].tolist() == [0, 1, 2, 0, 1, 0, 1, 2]


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_the_loss_of_a_document_does_not_change_with_its_neighbours(family: str, attention: str) -> None:
    torch.manual_seed(0)
    config = model_config(Model(family=family, depth=2, width=64, context=32), 128)
    model = AutoModelForCausalLM.from_config(config, dtype="float32", attn_implementation=attention).eval()
    document, other, longer = (np.arange(start, start + n) % 128 for start, n in ((3, 9), (50, 9), (70, 17)))

    def loss(pieces: list[np.ndarray], at: int) -> torch.Tensor:
        row = {name: values[None] for name, values in features(pieces, 32, padding=0).items()}
        labels = row.pop("labels")
        begin = sum(len(piece) for piece in pieces[:at])
        labels[:, : begin + 1] = labels[:, begin + len(pieces[at]) :] = -100
        with torch.no_grad():
            return row_losses(model(**row, use_cache=False).logits, labels)

    alone = loss([document], 0)
    assert alone > 1
    for pieces, at in (([other, document], 1), ([longer, document], 1), ([document, longer], 0)):
        torch.testing.assert_close(loss(pieces, at), alone, rtol=1e-5, atol=1e-5)


def test_evaluation_predicts_each_token_once_and_no_more_than_asked_for(shards: Path) -> None:
    rows = EvaluationRows(shards, length=8, tokens=100, padding=7)
    everything = np.concatenate([shard[:] for shard in open_shards(shards)])
    assert rows.predicted == everything[1:101].tolist()
    assert Counter(t for i in range(len(rows)) for t in _targets(rows[i])) == Counter(rows.predicted)
    assert len(EvaluationRows(shards, length=8, tokens=10**6, padding=7).predicted) == 499


def test_too_little_text_says_what_to_do(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(GroundupError, match="fewer than 1000 tokens"):
        TrainingRows(shards, 1000, rows=1, seed=0, padding=0, plans=tmp_path / "plans")
