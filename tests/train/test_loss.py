"""The loss in pieces is the model's own, to float precision, and so are its gradients."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, PreTrainedModel

from pipeline.model.families import model_config
from pipeline.recipe import Model
from pipeline.train import loss as module
from pipeline.train.loss import CausalLoss, HeadInLoss, defer_head, row_losses


def _model(family: str) -> PreTrainedModel:
    torch.manual_seed(0)
    config = model_config(Model(family=family, depth=2, width=64, context=32), 96)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def _batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(0, 96, (3, 32), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[0, :9] = labels[2, 20:] = -100
    return ids, labels


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2"])
@pytest.mark.parametrize("deferred", [True, False])
@pytest.mark.parametrize("at_once", [96 * 7, 2**21])
def test_value_and_gradients_are_those_of_the_model(
    family: str, deferred: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module._NUMBERS_AT_ONCE, "cpu", at_once)
    model, (ids, labels) = _model(family).train(), _batch()
    expected = model(input_ids=ids, labels=labels, use_cache=False).loss
    expected.backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    head = defer_head(model) if deferred else None
    assert isinstance(head, HeadInLoss) == deferred
    value = CausalLoss(head)(model.train()(input_ids=ids, use_cache=False), labels)
    value.backward()
    torch.testing.assert_close(value, expected)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


def test_z_loss_is_the_squared_log_partition() -> None:
    model, (ids, labels) = _model("llama").train(), _batch()
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1].reshape(-1, 96)
    targets = labels[:, 1:].reshape(-1)
    kept = targets >= 0
    expected = (
        functional.cross_entropy(logits[kept], targets[kept]) + 0.1 * logits[kept].logsumexp(-1).pow(2).mean()
    )
    (wanted,) = torch.autograd.grad(expected, [model.model.embed_tokens.weight])
    value = CausalLoss(defer_head(model), z_loss=0.1)(model.train()(input_ids=ids, use_cache=False), labels)
    torch.testing.assert_close(value, expected)
    (gradient,) = torch.autograd.grad(value, [model.model.embed_tokens.weight])
    torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-6)


def test_logits_that_are_more_than_a_product_keep_their_layer() -> None:
    from transformers import CohereConfig, Gemma2Config

    shape = {
        "vocab_size": 96,
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "pad_token_id": 0,
    }
    capped = Gemma2Config(**shape, num_attention_heads=1, num_key_value_heads=1, head_dim=64)
    scaled = CohereConfig(**shape, num_attention_heads=1, bos_token_id=1, eos_token_id=2)
    for config, kept in ((capped, True), (scaled, False)):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        head = model.get_output_embeddings()
        deferred = defer_head(model)
        assert (deferred is None) == kept
        assert (model.get_output_embeddings() is head) == kept


def test_a_deferred_head_changes_nothing_that_is_saved_or_generated() -> None:
    model, (ids, labels) = _model("llama"), _batch()
    names, before = list(model.state_dict()), model.eval()(input_ids=ids).logits
    defer_head(model)
    assert list(model.state_dict()) == names
    torch.testing.assert_close(model.eval()(input_ids=ids).logits, before)
    loss = CausalLoss(model.get_output_embeddings())
    with loss.deferring():
        deferred = loss.by_row(model(input_ids=ids), labels)
    assert model(input_ids=ids).logits.shape[-1] == 96
    for losses in (row_losses(before, labels), deferred):
        for row in range(3):
            wanted = functional.cross_entropy(before[row, :-1], labels[row, 1:], reduction="sum")
            torch.testing.assert_close(losses[row], wanted)


def test_in_bfloat16_the_products_are_and_the_loss_is_not() -> None:
    model, (ids, labels) = _model("llama").train(), _batch()
    head = defer_head(model)
    exact, rounded = (
        CausalLoss(head, products=products)(model.train()(input_ids=ids, use_cache=False), labels)
        for products in (torch.float32, torch.bfloat16)
    )
    assert rounded.dtype == torch.float32 and 0 < abs((exact - rounded).item()) < 0.01
