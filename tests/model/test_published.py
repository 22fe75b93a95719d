"""Published weights arrive in every kind of model that a task makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from pipeline.errors import GroundupError
from pipeline.model.families import model_config
from pipeline.model.published import load_model
from pipeline.recipe import Model

CLASSES = ("AutoModelForCausalLM", "AutoModelForSequenceClassification", "AutoModelForQuestionAnswering")
FAMILIES = ("llama", "qwen3", "gpt2", "qwen2", "mistral", "smollm3", "gpt_neox")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("model_class", CLASSES)
def test_the_body_is_what_was_published(family: str, model_class: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = model_config(Model(family=family, depth=2, width=64, context=32), 96, pad_token_id=0)
    published = AutoModelForCausalLM.from_config(config, dtype="float32")
    published.save_pretrained(tmp_path / "published")
    model = load_model(str(tmp_path / "published"), model_class)
    wanted, found = (m.base_model.state_dict() for m in (published, model))
    assert wanted.keys() == found.keys() and all(torch.equal(wanted[name], found[name]) for name in wanted)
    model.save_pretrained(tmp_path / "again")
    again = load_model(str(tmp_path / "again"), model_class)
    assert all(torch.equal(weight, again.state_dict()[name]) for name, weight in model.state_dict().items())


def test_weights_under_other_names_are_refused(tmp_path: Path) -> None:
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=96, hidden_size=64, num_hidden_layers=1, num_attention_heads=1)
    )
    renamed = {name.replace("model.", "mine."): weight for name, weight in model.state_dict().items()}
    model.save_pretrained(tmp_path, state_dict=renamed)
    with pytest.raises(GroundupError, match="its weights have other names than those of a LlamaForCausalLM"):
        load_model(str(tmp_path), "AutoModelForCausalLM")
