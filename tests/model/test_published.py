"""Published weights arrive in every kind of model that a task makes of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from pipeline.errors import GroundupError
from pipeline.model.families import model_config
from pipeline.model.published import load_config, load_model
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


def _small() -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=96, hidden_size=64, num_hidden_layers=1, num_attention_heads=1)
    )


class _Payload:
    """What a pickle runs when it is read."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.file),))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model.pt"])
def test_a_pickle_is_refused_unread(name: str, tmp_path: Path) -> None:
    model = _small()
    model.config.save_pretrained(tmp_path)
    torch.save({**model.state_dict(), "run": _Payload(tmp_path / "was here")}, tmp_path / name)
    with pytest.raises(GroundupError, match=r"no safetensors but a pickle, which can run any code"):
        load_model(str(tmp_path), "AutoModelForCausalLM")
    assert not (tmp_path / "was here").exists()


def test_code_of_a_model_runs_only_where_one_says_so(tmp_path: Path) -> None:
    _small().save_pretrained(tmp_path)
    (tmp_path / "mine.py").write_text(
        f"import os\nfrom transformers import LlamaConfig\nos.makedirs({str(tmp_path / 'was here')!r}, exist_ok=True)\n"
        "class MyConfig(LlamaConfig):\n    model_type = 'with-code'\n"
    )
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "with-code", "auto_map": {"AutoConfig": "mine.MyConfig"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        GroundupError, match=f"code of its own, which is not run; .* name remote-code:{tmp_path}"
    ):
        load_config(str(tmp_path))
    assert not (tmp_path / "was here").exists()
    assert (
        load_config(f"remote-code:{tmp_path}").model_type == "with-code" and (tmp_path / "was here").is_dir()
    )
