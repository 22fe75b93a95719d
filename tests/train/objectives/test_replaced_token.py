"""ELECTRA's loss against its definition; what reaches the generator; what a measurement draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import ElectraConfig, ElectraForMaskedLM, ElectraForPreTraining

from pipeline.model.families import model_config
from pipeline.model.machine import Choice
from pipeline.recipe import Model, Pretrain
from pipeline.train.arguments import training_arguments
from pipeline.train.objectives.electra import Electra, generator_config
from pipeline.train.objectives.replaced_token import ElectraTrainer

WEIGHT, MASK = 50.0, 1


def _models() -> Electra:
    torch.manual_seed(0)
    config = model_config(Model("electra", depth=2, width=64, heads=4, context=16), 64)
    assert isinstance(config, ElectraConfig)
    return Electra(config, generator_config(config, 0.5))


def _rows(count: int = 4) -> dict[str, torch.Tensor]:
    chance = torch.Generator().manual_seed(0)
    ids = torch.randint(2, 64, (count, 16), generator=chance)
    hidden = torch.rand(ids.shape, generator=chance) < 0.3
    return {"input_ids": ids.masked_fill(hidden, MASK), "labels": ids.masked_fill(~hidden, -100)}


def _trainer(
    model: Electra, directory: Path, rows: Any = None, micro: int = 2, **others: Any
) -> ElectraTrainer:
    settings = Pretrain(steps=1, global_batch=4, micro_batch=micro, optimizer="adamw", learning_rate=1e-3)
    plain = Choice(bfloat16=False, compiles=False, attention="sdpa")
    made = training_arguments(settings, plain, directory, seed=0, save_strategy="no", **others)
    return ElectraTrainer(model, WEIGHT, 3, args=made, train_dataset=rows, eval_dataset=rows)


def _alone(model: Electra) -> tuple[ElectraForMaskedLM, ElectraForPreTraining]:
    """Stock models with the same weights, which share nothing."""
    generator = ElectraForMaskedLM(model.generator.config)
    generator.load_state_dict(model.generator.state_dict())
    discriminator = ElectraForPreTraining(model.discriminator.config)
    discriminator.load_state_dict(model.discriminator.state_dict())
    return generator, discriminator


def test_the_loss_is_that_of_the_definition(tmp_path: Path) -> None:
    model, rows = _models(), _rows()
    generator, discriminator = _alone(model)
    trainer = _trainer(model, tmp_path)
    torch.manual_seed(7)
    loss = trainer._loss(model(**rows), rows["labels"])
    loss.backward()
    torch.manual_seed(7)
    hidden = rows["labels"] != -100
    logits = generator(input_ids=rows["input_ids"]).logits
    by_generator = functional.cross_entropy(logits.flatten(0, 1), rows["labels"].flatten())
    text, proposed = torch.where(hidden, rows["labels"], rows["input_ids"]), rows["input_ids"].clone()
    proposed[hidden] = torch.multinomial(logits[hidden].softmax(-1), 1)[:, 0].detach()
    is_other = (proposed != text).float()
    said = discriminator(input_ids=proposed).logits
    probability = said.sigmoid()
    by_discriminator = -(is_other * probability.log() + (1 - is_other) * (1 - probability).log()).mean()
    wanted = by_generator + WEIGHT * by_discriminator
    wanted.backward()
    torch.testing.assert_close(loss, wanted)
    assert 0 < is_other.sum() < hidden.sum() + 1
    for (name, one), other in zip(model.generator.named_parameters(), generator.parameters(), strict=True):
        if ".embeddings." not in name:
            torch.testing.assert_close(one.grad, other.grad, msg=name)
    for name, other in discriminator.named_parameters():
        if ".embeddings." not in name:
            torch.testing.assert_close(model.discriminator.get_parameter(name).grad, other.grad, msg=name)
    table = "electra.embeddings.word_embeddings.weight"
    both = generator.get_parameter(table).grad + discriminator.get_parameter(table).grad
    torch.testing.assert_close(model.get_input_embeddings().weight.grad, both)


def test_the_generator_is_measured_at_hidden_tokens_and_the_discriminator_at_all() -> None:
    model, rows = _models(), _rows()
    told = model(**rows)
    assert told.generator.shape == (int((rows["labels"] != -100).sum()),)
    assert told.discriminator.shape == rows["labels"].shape == told.replaced.shape
    assert not told.replaced[rows["labels"] == -100].any()


def test_nothing_of_the_discriminator_reaches_the_generator() -> None:
    model = _models()
    model(**_rows()).discriminator.sum().backward()
    own = [
        p
        for n, p in model.generator.named_parameters()
        if ".embeddings." not in n and "lm_head.weight" not in n
    ]
    assert len(own) > 20 and all(parameter.grad is None for parameter in own)
    assert all(p.grad is not None for n, p in model.discriminator.electra.encoder.named_parameters())


def test_a_token_that_is_drawn_rightly_counts_as_the_texts_own() -> None:
    model, rows = _models(), _rows()
    with torch.no_grad():  # the generator says token 9 everywhere
        model.generator.generator_lm_head.weight.zero_()
        model.generator.generator_lm_head.bias.fill_(-1e4)[9] = 1e4
    rows["labels"][0, 0], rows["input_ids"][0, 0] = 9, MASK
    replaced = model(**rows).replaced
    assert torch.equal(replaced, (rows["labels"] != -100) & (rows["labels"] != 9)) and not replaced[0, 0]


@pytest.mark.parametrize("micro", [1, 2, 4])
def test_the_loss_of_a_step_is_over_the_global_batch_however_it_is_divided(
    micro: int, tmp_path: Path
) -> None:
    model, rows = _models(), _rows()
    trainer = _trainer(model, tmp_path, micro=micro)
    told, hidden = model(**rows), rows["labels"] != -100
    whole, count = trainer._loss(told, rows["labels"]), hidden.sum()
    parts = torch.zeros(())
    for start in range(0, 4, micro):
        here = slice(start, start + micro)
        own = told.generator[int(hidden[:start].sum()) : int(hidden[: start + micro].sum())]
        part = type(told)(generator=own, discriminator=told.discriminator[here])
        parts = parts + trainer._loss(part, rows["labels"][here], count)
    torch.testing.assert_close(parts, whole)


def test_a_measurement_draws_the_same_every_time_and_nothing_from_the_training(tmp_path: Path) -> None:
    rows = _rows(6)
    data = [{name: values[i] for name, values in rows.items()} for i in range(6)]
    trainer = _trainer(_models(), tmp_path, data)
    before = torch.get_rng_state()
    once, again = trainer.evaluate(), trainer.evaluate()
    assert torch.equal(before, torch.get_rng_state())
    told = ("loss", "generator_loss", "discriminator_loss", "accuracy", "replaced_f1", "replaced_auc")
    assert all(once[f"eval_{name}"] == again[f"eval_{name}"] for name in told)
    share = once["eval_replaced_share"]
    hidden = (rows["labels"] != -100).float().mean()
    assert 0 < share <= hidden
    wanted = once["eval_generator_loss"] + WEIGHT * once["eval_discriminator_loss"]
    assert once["eval_loss"] == pytest.approx(wanted)
