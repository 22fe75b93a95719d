"""Parameters by what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoConfig, AutoModelForCausalLM

from pipeline.model.families import model_config
from pipeline.model.parts import parameters_by_part
from pipeline.recipe import Model
from tests.tasks.bases import publish


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2"])
def test_parts_are_those_of_the_model_and_all_of_them(family: str) -> None:
    config = model_config(Model(family=family, depth=3, width=128, heads=2, kv_heads=2, context=64), 512)
    found = parameters_by_part(config, "AutoModelForCausalLM")
    assert found.all == AutoModelForCausalLM.from_config(config).num_parameters()
    biases = 4 * 128 if family == "gpt2" else 0
    norms = 2 * 64 if family == "qwen3" else 0  # of queries and keys
    assert found.attention == 3 * (4 * 128**2 + biases)
    assert found.embedding == (512 + (64 if family == "gpt2" else 0)) * 128 and found.head == 0  # it is tied
    assert found.norms == (7 * 128 + 3 * norms) * (2 if family == "gpt2" else 1)
    assert found.feed_forward / 3 == pytest.approx(8 * 128**2, rel=0.2)


def test_an_output_layer_of_its_own_is_a_head() -> None:
    config = model_config(Model(depth=1, width=64, context=64), 512)
    tied = parameters_by_part(config, "AutoModelForCausalLM")
    config.tie_word_embeddings = False
    assert parameters_by_part(config, "AutoModelForCausalLM").head == tied.embedding == 512 * 64
    assert parameters_by_part(config, "AutoModelForQuestionAnswering").head == 2 * 64 + 2


@pytest.mark.parametrize("family", ["bert", "t5", "bart"])
def test_every_kind_of_model_has_parts(family: str, tmp_path: Path) -> None:
    found = parameters_by_part(
        AutoConfig.from_pretrained(publish(family, tmp_path)), "AutoModelForSequenceClassification"
    )
    assert min(found.embedding, found.attention, found.feed_forward, found.norms, found.head) > 0
