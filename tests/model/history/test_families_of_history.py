"""What all models of history keep to: documents stay apart, nothing is seen ahead, and they go where others go."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from pipeline.checks.model import check_model
from pipeline.errors import GroundupError
from pipeline.model import history
from pipeline.model.cost import cost, embedding_parameters
from pipeline.model.families import _blindness, check_family, model_config
from pipeline.model.published import load_model
from pipeline.model.scaling import parameters, resolved
from pipeline.recipe import Model, Pretrain, Recipe, Tokenizer
from pipeline.train.head import put_loss_head
from tests.model.history.small import ENTRIES, LENGTH, settings_of, small, tokens

FAMILIES = [*history.FAMILIES]
TRAINED = [*history.TRAINED]


def _said(model: PreTrainedModel, ids: torch.Tensor, **others: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=ids, **others).logits


@pytest.mark.parametrize("family", FAMILIES)
def test_documents_of_a_row_are_as_if_each_were_alone(family: str) -> None:
    model, ids = small(family), tokens(3)
    lengths = [5, 1, 6]
    positions = torch.cat([torch.arange(n) for n in lengths]).expand(3, LENGTH)
    together = _said(model, ids, position_ids=positions)
    alone = torch.cat([_said(model, part) for part in ids.split(lengths, 1)], 1)
    assert torch.allclose(together, alone, atol=1e-12)
    assert not torch.allclose(together, _said(model, ids), atol=1e-3)  # and it does matter


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_not_read(family: str, side: str) -> None:
    model, ids = small(family), tokens(1, 7)
    pads = torch.zeros(1, 5, dtype=torch.long)
    row = torch.cat([pads, ids] if side == "left" else [ids, pads], 1)
    mask = row.ne(0).long()
    said = _said(model, row, attention_mask=mask)[mask.bool()]
    assert torch.allclose(said, _said(model, ids)[0], atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_seen_ahead(family: str) -> None:
    model, ids = small(family), tokens(1)
    other = ids.clone()
    other[0, 6:] = torch.where(ids[0, 6:] == 2, 3, 2)
    one, two = _said(model, ids), _said(model, other)
    assert torch.equal(one[0, :6], two[0, :6]) and not torch.allclose(one[0, 6], two[0, 6])


@pytest.mark.parametrize("family", TRAINED)
def test_what_is_asked_of_every_family_holds(family: str) -> None:
    check_family(settings_of(family))
    assert _blindness(model_config(settings_of(family, context=16), 64)) == ""


@pytest.mark.parametrize("family", TRAINED)
def test_gradients_are_those_of_what_it_says(family: str) -> None:
    model, ids = small(family), tokens(1, 6)
    positions = torch.tensor([[0, 1, 2, 0, 1, 2]])
    names, weights = zip(*((n, w.detach()) for n, w in model.named_parameters()), strict=True)

    def said(*values: torch.Tensor) -> torch.Tensor:
        given = dict(zip(names, values, strict=True))
        logits = torch.func.functional_call(model, given, (ids,), {"position_ids": positions}).logits
        return logits.log_softmax(-1)[0, :, 3]

    assert torch.autograd.gradcheck(said, [w.requires_grad_() for w in weights], fast_mode=True)
    embedded = model.get_input_embeddings()(ids).detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda e: model(inputs_embeds=e, position_ids=positions).logits, embedded)


@pytest.mark.parametrize("family", TRAINED)
def test_the_loss_is_taken_without_logits(family: str) -> None:
    model, ids = small(family).float(), tokens()
    wanted = model(input_ids=ids, labels=ids).loss
    head = put_loss_head(model)
    assert head is not None
    with head.told(ids):
        model(input_ids=ids)
    assert head.losses.sum().item() / (2 * (LENGTH - 1)) == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("beams", [1, 3])
def test_it_writes_on(family: str, beams: int) -> None:
    model, ids = small(family), tokens(2, 6)
    model.generation_config.eos_token_id = None
    ids[0, :3] = 0  # a shorter prompt, padded on the left
    written = model.generate(
        ids, attention_mask=ids.ne(0).long(), max_new_tokens=4, num_beams=beams, do_sample=False
    )
    alone = model.generate(ids[:1, 3:], max_new_tokens=4, num_beams=beams, do_sample=False)
    assert written.shape == (2, 10) and torch.equal(written[:1, 3:], alone)
    if beams == 1:
        said = _said(model, written)[1, 5:-1].argmax(-1)
        assert torch.equal(written[1, 6:], said)


@pytest.mark.parametrize("family", TRAINED)
@pytest.mark.parametrize("head", ["AutoModelForSequenceClassification", "AutoModelForQuestionAnswering"])
def test_the_body_is_what_was_saved_under_every_head(family: str, head: str, tmp_path: Path) -> None:
    published = small(family).float()
    published.save_pretrained(tmp_path)
    model = load_model(str(tmp_path), head)
    wanted, found = (m.base_model.state_dict() for m in (published, model))
    assert wanted.keys() == found.keys() and all(torch.equal(wanted[name], found[name]) for name in wanted)


@pytest.mark.parametrize("family", TRAINED)
def test_parameters_and_operations_are_counted(family: str) -> None:
    settings = Recipe(model=Model(family=family, depth=2, width=128), tokenizer=Tokenizer(vocabulary=1024))
    config = model_config(settings.model, 1024)
    assert parameters(settings) == embedding_parameters(config)[1]
    counted = cost(config, 32)
    inside = counted.parameters - 1024 * 128  # a look into a table is no product
    assert counted.flops_per_token == pytest.approx(6 * inside, rel=0.02)
    assert resolved(resolved(settings)) == resolved(settings)


@pytest.mark.parametrize("family", FAMILIES)
def test_heads_are_refused_where_there_are_none(family: str) -> None:
    with pytest.raises(GroundupError, match=rf"--model.heads: {family} has no attention"):
        check_model(Model(family=family, heads=4))
    check_model(resolved(Recipe(model=Model(family=family, width=50))).model)  # of no multiple of 64


def test_muon_is_refused_where_there_is_no_stack_of_layers() -> None:
    from pipeline.checks import check

    for family in TRAINED:
        recipe = Recipe(model=Model(family=family), pretrain=Pretrain(optimizer="muon"))
        with pytest.raises(GroundupError, match=r"--pretrain.optimizer: Muon is for .*; use adamw"):
            check(recipe)


def test_rows_of_the_embedding_can_be_added() -> None:
    for family in TRAINED:
        model = small(family)
        before = _said(model, tokens())
        model.resize_token_embeddings(ENTRIES + 3)
        assert torch.allclose(_said(model, tokens())[..., :ENTRIES], before)
