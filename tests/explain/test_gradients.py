"""Integrated gradients: exactly weight times distance on a linear model, and complete on real ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, BertConfig, Qwen3Config

from pipeline.errors import GroundupError
from pipeline.evaluate.outcomes import OfClasses, OfGrades, OfWritten, Outcome
from pipeline.evaluate.said import Said
from pipeline.explain.asked import Asked
from pipeline.explain.gradients import integrated_gradients
from pipeline.explain.rollout import attention_rollout
from pipeline.model.reading import Place, Reading


def said_of(ids: list[int], outcome: Outcome, fixed: tuple[int, ...] = (), written_from: int = 0) -> Said:
    """Tokens of one letter each, some of them no text's."""
    places = [None if n in fixed else Place("text", n, n + 1) for n in range(len(ids))]
    reading = Reading({"input_ids": ids}, places, {"text": "x" * len(ids)}, written_from or len(ids), 0)
    return Said(reading, outcome, (len(ids) - 1,))


class Linear(torch.nn.Module):
    """Its grade is the sum of a weight times each embedding, and a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(4, 2)
        self.weight = torch.nn.Parameter(torch.tensor([2.0, -1.0]))
        self.config, self.device = SimpleNamespace(is_encoder_decoder=False), "cpu"
        with torch.no_grad():
            self.embedding.weight[:] = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0], [3.0, 1.0]])

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.embedding

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        return SimpleNamespace(logits=(self.embedding(input_ids) @ self.weight).sum(1, keepdim=True) + 0.5)


class Four:
    """A tokenizer of four entries, the first of which is padding."""

    pad_token_id = 0

    def __len__(self) -> int:
        return 4


def test_of_a_linear_model_they_are_weight_times_distance_from_the_baseline() -> None:
    said = said_of([1, 2, 3, 1], OfGrades("grade"), fixed=(3,))
    # the mean of the embeddings is (1, 1), whose product with the weight is 1
    by_mean = integrated_gradients(Linear(), Four(), said, Asked(steps=3))
    assert by_mean.values == pytest.approx((2 - 1, -3 - 1, 5 - 1, 0))
    by_padding = integrated_gradients(Linear(), Four(), said, Asked(steps=3, baseline="padding"))
    assert by_padding.values == pytest.approx((2, -3, 5, 0))
    assert by_padding.facts == pytest.approx(
        {"score": 6.5, "baseline_score": 2.5, "gap": 0, "steps": 3}, abs=1e-5
    )


class Twenty(Four):
    def __len__(self) -> int:
        return 20


def _real(kind: str) -> tuple[Any, Said]:
    """A model with random weights, and what it says of six tokens."""
    torch.manual_seed(0)
    ids, shape = [3, 9, 4, 17, 5, 2], {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    own = {"vocab_size": 20, "intermediate_size": 64, "initializer_range": 0.2, "num_labels": 3, **shape}
    config = Qwen3Config(num_key_value_heads=1, head_dim=16, pad_token_id=0, **own)
    if kind == "causal":
        model = AutoModelForCausalLM.from_config(config)
        said = said_of(ids, OfWritten("5 2", (5, 2), (4, 5)), fixed=(4, 5), written_from=4)
    elif kind == "encoder":
        model = AutoModelForSequenceClassification.from_config(BertConfig(**own))
        said = said_of(ids, OfClasses("c", 2), fixed=(0, 5))
    else:
        model = AutoModelForSequenceClassification.from_config(config)
        said = said_of(ids, OfClasses("c", 1))
    with torch.no_grad():  # else padding is nought, which has no direction that a norm could keep
        model.get_input_embeddings().weight[0] = 0.2 * torch.randn(32)
    return model, said


@pytest.mark.parametrize("kind", ["encoder", "causal classifier", "causal"])
def test_of_real_models_they_add_up_to_what_the_text_has_over_the_baseline(kind: str) -> None:
    model, said = _real(kind)
    found = integrated_gradients(model, Twenty(), said, Asked(steps=256, baseline="padding"))
    difference = found.facts["score"] - found.facts["baseline_score"]
    assert abs(difference) > 0.01, "there is something to divide"
    assert abs(found.facts["gap"]) < 0.02 * abs(difference)
    assert sum(found.values) == pytest.approx(difference + found.facts["gap"], abs=1e-4)
    fixed = [value for value, place in zip(found.values, said.reading.places, strict=True) if place is None]
    assert not any(fixed), "what does not move has no share"
    with torch.no_grad():
        ids = torch.tensor([said.reading.features["input_ids"]])
        at = torch.tensor([said.outcome.positions], dtype=torch.long)
        assert float(said.outcome.score(model(ids), at)) == pytest.approx(found.facts["score"], abs=1e-4)


@pytest.mark.parametrize("kind", ["encoder", "causal classifier", "causal"])
def test_roll_out_follows_attention_back_and_leaves_the_model_as_it_was(kind: str) -> None:
    model, said = _real(kind)
    model.set_attn_implementation("sdpa")
    found = attention_rollout(model, Twenty(), said, Asked())
    assert sum(found.values) == pytest.approx(1, abs=1e-5) and min(found.values) >= 0
    assert model.config._attn_implementation == "sdpa"


def test_a_model_that_reads_twice_is_refused(tmp_path: Any) -> None:
    from pipeline.model.published import load_model, load_tokenizer
    from tests.tasks.bases import publish

    start = publish("t5", tmp_path)
    model = load_model(start, "AutoModelForSequenceClassification")
    said = said_of([20, 21, 6], OfClasses("c", 1), fixed=(2,))
    for method in (integrated_gradients, attention_rollout):
        with pytest.raises(GroundupError, match=r"reads its text twice|three stacks of attention"):
            method(model, load_tokenizer(start), said, Asked())
