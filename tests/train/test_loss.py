"""The loss taken in the output layer is the model's own, to float precision, and so are its gradients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from pipeline.model.families import model_config
from pipeline.recipe import Model, Pretrain
from pipeline.train import loss as module
from pipeline.train.arguments import training_arguments
from pipeline.train.head import LossHead, Shaping, put_loss_head
from pipeline.train.loss import row_losses
from pipeline.train.trainer import CausalTrainer
from tests.forked import forked
from tests.train.sharded_training import whole_gradients
from tests.train.small_training import PLAIN

SHAPINGS = {
    "llama": Shaping(),
    "qwen3": Shaping(),
    "gpt2": Shaping(),
    "phi": Shaping(),  # with a bias
    "cohere": Shaping(scale=0.0625),
    "gemma2": Shaping(cap=30.0),
}


def _model(family: str, vocabulary: int = 96, larger: float = 1.0) -> PreTrainedModel:
    torch.manual_seed(0)
    config = model_config(Model(family=family, depth=2, width=64, context=32), vocabulary)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    head = model.get_output_embeddings()
    with torch.no_grad():
        head.weight.mul_(larger)
        if head.bias is not None:
            head.bias.normal_()
    return model


def _batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(0, 96, (3, 32), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[0, :9] = labels[2, 20:] = -100
    return ids, labels


def _head(model: PreTrainedModel, z_loss: float = 0.0) -> LossHead:
    head = put_loss_head(model, z_loss)
    assert isinstance(head, LossHead) and model.get_output_embeddings() is head
    return head


def _loss(model: PreTrainedModel, head: LossHead, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    with head.told(labels):
        carried = model.train()(input_ids=ids, use_cache=False).logits
    assert carried.numel() == 1 and carried.item() == 0
    return carried.sum() + head.losses.sum() / labels[:, 1:].ge(0).sum()


@pytest.mark.parametrize("family", SHAPINGS)
@pytest.mark.parametrize("at_once", [96 * 7, 2**21])
def test_value_and_gradients_are_those_of_the_model(
    family: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module._NUMBERS_AT_ONCE, "cpu", at_once)
    model, (ids, labels) = _model(family, larger=40).train(), _batch()  # so large that a cap shows
    expected = model(input_ids=ids, labels=labels, use_cache=False).loss
    expected.backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    head = _head(model)
    assert head.shaping.scale == pytest.approx(SHAPINGS[family].scale)
    assert head.shaping.cap == pytest.approx(SHAPINGS[family].cap)
    value = _loss(model, head, ids, labels)
    value.backward()
    torch.testing.assert_close(value, expected)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("family", ["llama", "gemma2", "cohere"])
def test_z_loss_is_the_squared_log_partition(family: str) -> None:
    model, (ids, labels) = _model(family, larger=40).train(), _batch()  # so large that a cap shows
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1].reshape(-1, 96)
    targets = labels[:, 1:].reshape(-1)
    kept = targets >= 0
    expected = (
        functional.cross_entropy(logits[kept], targets[kept]) + 0.1 * logits[kept].logsumexp(-1).pow(2).mean()
    )
    (wanted,) = torch.autograd.grad(expected, [model.model.embed_tokens.weight])
    value = _loss(model, _head(model, z_loss=0.1), ids, labels)
    torch.testing.assert_close(value, expected)
    (gradient,) = torch.autograd.grad(value, [model.model.embed_tokens.weight])
    torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-6)


class Logits(TorchDispatchMode):
    """The most rows of logits that any operation makes, of a vocabulary whose number stands for nothing else."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.vocabulary, self.rows = vocabulary, 0

    def __torch_dispatch__(self, function: Any, _: Any, inputs: Any = (), options: Any = None) -> Any:
        if function is torch.ops.groundup.linear_cross_entropy.default:
            with self:  # what is within
                return module.linear_cross_entropy(*inputs)
        made = function(*inputs, **(options or {}))
        for tensor in made if isinstance(made, tuple) else (made,):
            turned_weight = isinstance(tensor, torch.Tensor) and tensor.shape == (64, self.vocabulary)
            if (
                isinstance(tensor, torch.Tensor)
                and tensor.shape[-1:] == (self.vocabulary,)
                and not turned_weight
            ):
                self.rows = max(self.rows, tensor.numel() // self.vocabulary)
        return made


@pytest.mark.parametrize("family", ["llama", "gemma2", "phi"])
def test_no_logits_of_more_than_a_few_rows_are_made(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module._NUMBERS_AT_ONCE, "cpu", 103 * 7)
    (ids, labels), model = _batch(), _model(family, vocabulary=103)
    head = _head(model)
    with Logits(103) as training:
        _loss(model, head, ids, labels).backward()
    with Logits(103) as measuring, torch.no_grad():
        _loss(model, head, ids, labels)
    with Logits(103) as untold:
        model(input_ids=ids)
    assert (training.rows, measuring.rows, untold.rows) == (7, 7, 3 * 32)


def test_logits_of_another_kind_keep_their_layer() -> None:
    class Learnt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.ones(()))

    model, learnt = _model("llama"), Learnt()
    head = model.get_output_embeddings()

    def others(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[..., CausalLMOutput]:
        return lambda _, __, outputs: CausalLMOutput(logits=change(outputs.logits))

    changes = {
        "shifted": others(lambda logits: logits + 1),
        "masked": others(lambda logits: logits.index_fill(-1, torch.tensor(3), -9.0)),
        "learnt": others(lambda logits: logits * learnt.factor),
        "cut": others(lambda logits: logits[..., :90]),
    }
    for name, change in changes.items():
        hook = model.register_forward_hook(change)
        assert put_loss_head(model) is None, name
        assert model.get_output_embeddings() is head
        hook.remove()
    assert put_loss_head(model) is not None


@pytest.mark.parametrize("family", ["llama", "dory"])  # the second one's output layer is no plain matrix
@pytest.mark.parametrize("z_loss", [0.0, 0.1])
def test_trainers_take_the_same_loss_with_and_without_the_head(
    family: str, z_loss: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, (ids, labels) = _model(family), _batch()
    model.train()
    logits, kept = model(input_ids=ids, use_cache=False).logits[:, :-1], labels[:, 1:] >= 0
    expected = functional.cross_entropy(logits[kept], labels[:, 1:][kept])
    expected = expected + z_loss * logits[kept].logsumexp(-1).pow(2).mean()
    held_out = functional.cross_entropy(logits[0][kept[0]], labels[0, 1:][kept[0]], reduction="sum")
    arguments = training_arguments(Pretrain(steps=1, global_batch=3), PLAIN, tmp_path, seed=0)
    trainer = CausalTrainer(model, bits_per_nat=1.0, z_loss=z_loss, args=arguments)
    assert (trainer.head is None) == (family == "dory") == ("all of a micro-batch" in capsys.readouterr().out)
    batch = {"input_ids": ids, "labels": labels}
    torch.testing.assert_close(trainer.compute_loss(model, dict(batch)), expected)
    halved = trainer.compute_loss(model, dict(batch), num_items_in_batch=2 * kept.sum())
    torch.testing.assert_close(halved, expected / 2)
    _, losses, targets = trainer.prediction_step(model, dict(batch))
    torch.testing.assert_close(losses[0], held_out)
    assert targets.tolist() == kept.sum(-1).tolist()


def test_a_loss_head_changes_nothing_that_is_saved_or_generated() -> None:
    model, (ids, labels) = _model("llama"), _batch()
    names, before = list(model.state_dict()), model.eval()(input_ids=ids).logits
    head = _head(model)
    assert list(model.state_dict()) == names
    torch.testing.assert_close(model.eval()(input_ids=ids).logits, before)
    with torch.no_grad(), head.told(labels):
        model(input_ids=ids)
    assert model(input_ids=ids).logits.shape[-1] == 96
    for losses in (row_losses(before, labels), head.losses.sum(-1)):
        for row in range(3):
            wanted = functional.cross_entropy(before[row, :-1], labels[row, 1:], reduction="sum")
            torch.testing.assert_close(losses[row], wanted)


def test_in_bfloat16_the_products_are_and_the_loss_is_not() -> None:
    model, (ids, labels) = _model("llama").train(), _batch()
    head = _head(model)
    exact = _loss(model, head, ids, labels)
    hidden = model.model(input_ids=ids).last_hidden_state
    with torch.autocast("cpu", torch.bfloat16), head.told(labels):
        head(hidden)
    assert head.losses.dtype == torch.float32
    rounded = head.losses.sum() / labels[:, 1:].ge(0).sum()
    assert 0 < abs((exact - rounded).item()) < 0.01


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_compiled_it_is_one_graph(family: str) -> None:
    model, (ids, labels) = _model(family).train(), _batch()
    head = _head(model)
    expected = _loss(model, head, ids, labels)
    expected.backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    value = _loss(compiled, head, ids, labels)
    value.backward()
    torch.testing.assert_close(value, expected)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("precision", "error"), [("no", 1e-5), ("bf16", 0.02)])
@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_weights_that_fsdp2_spreads_are_whole_where_the_loss_is_taken(
    family: str, precision: str, error: float, tmp_path: Path
) -> None:
    program = "tests.train.sharded_training", family, precision, tmp_path
    done = forked(tmp_path / "said", *program, processes=2).ended()
    assert done.returncode == 0, done.stderr
    wanted_loss, wanted = whole_gradients(family)
    for rank in (0, 1):
        loss, gradients, shares = torch.load(tmp_path / f"{rank}.pt")
        assert loss == pytest.approx(wanted_loss, rel=error / 10)
        assert gradients.keys() == wanted.keys()
        assert set(shares.values()) == {0.5}  # of every weight
        for name, gradient in gradients.items():
            assert (gradient - wanted[name]).norm() < error * wanted[name].norm(), name
