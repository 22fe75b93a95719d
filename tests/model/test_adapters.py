"""Adapters on every kind of head: only they are trained, what is merged says the same, the base stays."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from pipeline.errors import GroundupError
from pipeline.model.adapters import (
    attach,
    base_options,
    hold_in_bfloat16,
    load_base,
    merged,
    put_on,
    save_adapter,
    trained_parameters,
)
from pipeline.model.cost import cost
from pipeline.model.families import model_config
from pipeline.model.published import load_model
from pipeline.recipe import Adapter, AdapterKind, Model
from pipeline.train.head import put_loss_head
from tests.train.small_training import CAUSAL, CLASSES, PADDED_BY_ZERO, SPANS

KINDS: tuple[AdapterKind, ...] = ("lora", "dora", "qlora")
IDS = torch.arange(1, 13).view(1, 12)
TOLERANCE = 1e-5
"""Of logits: that merging adds the products to the weights instead of the outputs, in float32."""


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Published models by family."""
    directory = tmp_path_factory.mktemp("starts")
    for family in ("llama", "gpt2"):
        torch.manual_seed(0)
        config = model_config(Model(family=family, depth=2, width=64, context=32), 64, pad_token_id=0)
        model = transformers.AutoModelForCausalLM.from_config(config, dtype="float32")
        model.save_pretrained(directory / family)
        PADDED_BY_ZERO.save_pretrained(directory / family)
    return {family: str(directory / family) for family in ("llama", "gpt2")}


def checksum(model: torch.nn.Module) -> str:
    """Of every weight and buffer, by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _moved(model: Any) -> Any:
    """With what is trained somewhere else, as after a training."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn_like(parameter)
    return model.eval()


def _said(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS)[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", [CAUSAL, CLASSES, SPANS])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_an_adapter_comes_back_and_merged_says_the_same(
    family: str, head: str, kind: AdapterKind, starts: dict[str, str], tmp_path: Path
) -> None:
    start, tokens = starts[family], (3, 5) if head == CAUSAL else ()
    if (family, kind) == ("gpt2", "qlora"):
        with pytest.raises(GroundupError, match="use lora or dora"):
            base_options(kind, start, head)
        return
    base = load_model(start, head, loading=base_options(kind, start, head))
    adapted = _moved(attach(base, Adapter(kind=kind, rank=4), head, tokens))
    trained = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    kinds = ("lora_A", "lora_B", "lora_magnitude_vector", "modules_to_save", "trainable_tokens_delta")
    assert trained and all(any(kind in name for kind in kinds) for name in trained)
    wanted = _said(adapted)
    adapted.config.save_pretrained(tmp_path)
    save_adapter(adapted, tmp_path / "adapter", start)
    again = put_on(load_base(start, head, tmp_path, PADDED_BY_ZERO, kind), tmp_path / "adapter")
    assert torch.equal(_said(again), wanted)
    stock = merged(again)
    assert torch.allclose(_said(stock), wanted, atol=TOLERANCE)
    stock.save_pretrained(tmp_path / "merged")
    alone = getattr(transformers, head).from_pretrained(tmp_path / "merged").eval()
    assert torch.equal(_said(alone), _said(stock)) and alone.dtype == torch.float32


def test_layers_that_nobody_published_are_trained_whole(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    config = transformers.BertConfig(vocab_size=64, max_position_embeddings=16, **sizes)
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path / "start")  # without a pooler
    PADDED_BY_ZERO.save_pretrained(tmp_path / "start")
    start = str(tmp_path / "start")
    adapted = _moved(attach(load_model(start, CLASSES), Adapter(kind="lora", rank=4), CLASSES))
    wanted = _said(adapted)
    adapted.config.save_pretrained(tmp_path)
    save_adapter(adapted, tmp_path / "adapter", start)
    again = put_on(load_base(start, CLASSES, tmp_path, PADDED_BY_ZERO, "lora"), tmp_path / "adapter")
    assert torch.equal(_said(again), wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_decoder_takes_one_too(kind: AdapterKind, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.T5Config(vocab_size=64, d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2)
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path / "start")
    PADDED_BY_ZERO.save_pretrained(tmp_path / "start")
    start, head = str(tmp_path / "start"), "AutoModelForSeq2SeqLM"
    base = load_model(start, head, loading=base_options(kind, start, head))
    adapted = _moved(attach(base, Adapter(kind=kind, rank=4), head))
    assert all("lora_" in name for name, p in adapted.named_parameters() if p.requires_grad)
    said = {"input_ids": IDS, "decoder_input_ids": IDS}
    wanted = adapted(**said).logits
    adapted.config.save_pretrained(tmp_path)
    save_adapter(adapted, tmp_path / "adapter", start)
    again = put_on(load_base(start, head, tmp_path, PADDED_BY_ZERO, kind), tmp_path / "adapter")
    assert torch.allclose(again(**said).logits, wanted, atol=TOLERANCE)
    assert torch.allclose(merged(again)(**said).logits, wanted, atol=TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_adapter_changes_nothing(kind: AdapterKind, starts: dict[str, str]) -> None:
    options = base_options(kind, starts["llama"], CAUSAL)
    base, other = (load_model(starts["llama"], CAUSAL, loading=options).eval() for _ in range(2))
    adapted = attach(base, Adapter(kind=kind), CAUSAL).eval()
    assert torch.allclose(_said(adapted), _said(other), atol=1e-6)


def test_unloading_gives_the_base_back(starts: dict[str, str]) -> None:
    base = load_model(starts["llama"], CAUSAL)
    before = checksum(base)
    adapted = _moved(attach(base, Adapter(kind="lora"), CAUSAL, (3, 5)))
    assert not torch.allclose(_said(adapted), _said(load_model(starts["llama"], CAUSAL).eval()))
    assert checksum(adapted.unload()) == before


def test_targets_that_are_not_there_are_refused(starts: dict[str, str]) -> None:
    adapter = Adapter(kind="lora", targets=("no_such_proj",))
    with pytest.raises(GroundupError, match="no_such_proj"):
        attach(load_model(starts["llama"], CAUSAL), adapter, CAUSAL)


def test_named_targets_alone_get_matrices(starts: dict[str, str]) -> None:
    adapted = attach(
        load_model(starts["llama"], CAUSAL), Adapter(kind="lora", rank=4, targets=("q_proj",)), CAUSAL
    )
    assert trained_parameters(adapted) == 2 * (64 * 4 + 4 * 64)  # layers · (A + B)


def _gradients(model: PreTrainedModel, dtype: torch.dtype | None) -> dict[str, torch.Tensor]:
    with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
        logits = model(input_ids=IDS).logits
    cross_entropy(logits[0, :-1].float(), IDS[0, 1:]).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_frozen_matrices_in_bfloat16_train_the_same(starts: dict[str, str]) -> None:
    found = []
    for held in (False, True):
        torch.manual_seed(0)
        adapted = _moved(attach(load_model(starts["llama"], CAUSAL), Adapter(kind="lora"), CAUSAL))
        if held:
            hold_in_bfloat16(adapted)
            assert sum(p.dtype == torch.bfloat16 for p in adapted.parameters()) == 14
        found.append(_gradients(adapted, torch.bfloat16))
    assert found[0] and found[0].keys() == found[1].keys()
    assert all(torch.equal(gradient, found[1][name]) for name, gradient in found[0].items())


def test_the_loss_head_over_a_frozen_layer_has_the_same_gradients(starts: dict[str, str]) -> None:
    adapted = _moved(attach(load_model(starts["llama"], CAUSAL), Adapter(kind="lora"), CAUSAL))
    wanted = _gradients(adapted, None)
    adapted.zero_grad()
    head = put_loss_head(adapted.get_base_model())
    assert head is not None
    with head.told(IDS):
        noughts = adapted(input_ids=IDS, use_cache=False).logits
    (noughts.sum() + head.losses.sum() / 11).backward()
    found = {name: p.grad for name, p in adapted.named_parameters() if p.grad is not None}
    assert found.keys() == wanted.keys()
    assert all(torch.allclose(found[name], wanted[name], atol=1e-6) for name in wanted)


def test_the_costs_of_an_adapter_are_counted() -> None:
    config = model_config(Model(depth=3, width=128, context=64), 512, pad_token_id=0)
    whole, small = cost(config, 64), cost(config, 64, CAUSAL, Adapter(kind="lora", rank=4))
    model = transformers.AutoModelForCausalLM.from_config(config)
    matrices = [
        p
        for name, p in model.named_parameters()
        if p.ndim == 2 and "embed" not in name and "head" not in name
    ]
    assert whole.trained == whole.parameters == small.parameters
    assert small.trained == sum(4 * sum(matrix.shape) for matrix in matrices)
    frozen = sum(matrix.numel() for matrix in matrices) + 512 * 128
    attention = 12 * 3 * 128 * 64
    # Forward, and by the inputs backward; by the weights too for what is trained. The first layer's inputs need none.
    assert small.flops_per_token == pytest.approx(4 * frozen + 6 * small.trained + attention, rel=0.05)
    assert small.flops_per_token < 0.75 * whole.flops_per_token
