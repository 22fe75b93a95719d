"""Calibration: the error is what it is by hand, the temperature is found, and the saved model has it in itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from pipeline.evaluate.calibration import (
    confidence_temperature,
    divide_logits,
    label_temperature,
    temperature,
)
from pipeline.evaluate.reliability import calibration_error, reliability


def test_the_error_is_the_mean_distance_of_sureness_and_truth() -> None:
    sure = [0.95, 0.95, 0.95, 0.95, 0.55, 0.55]
    right = [True, True, True, False, True, False]
    assert calibration_error(sure, right).score()["ece"] == pytest.approx((4 * 0.2 + 2 * 0.05) / 6)
    assert calibration_error([1.0, 1.0], [True, True]).score()["ece"] == 0


def test_each_bin_has_its_share_of_right_ones_and_how_sure_that_is() -> None:
    sure, right = [0.95, 0.95, 0.95, 1.0, 0.55, 0.55], [True, True, True, False, True, False]
    low, high = reliability(sure, right)
    assert (low.examples, low.probability, low.right) == (2, pytest.approx(0.55), 0.5)
    assert (low.low, low.high) == (8 / 15, 9 / 15)
    assert (high.examples, high.probability, high.right) == (4, pytest.approx(0.9625), 0.75)
    # Wilson's interval by hand: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)
    z, p, n = 1.959964, 0.75, 4
    half = z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    ends = [(p + z * z / (2 * n) + sign * half) / (1 + z * z / n) for sign in (-1, 1)]
    assert [high.least, high.most] == pytest.approx(ends)
    gap = sum(b.examples * abs(b.probability - b.right) for b in (low, high)) / 6
    assert calibration_error(sure, right).score()["ece"] == pytest.approx(gap)
    by_label = reliability([[0.9, 0.1], [0.9, 0.2]], [[True, False], [True, True]])
    assert [(b.examples, b.right) for b in by_label] == [(1, 0.0), (1, 1.0), (2, 1.0)]


@pytest.mark.parametrize("factor", [0.2, 1.0, 5.0])
def test_the_temperature_undoes_what_made_logits_too_large_or_small(factor: float) -> None:
    torch.manual_seed(0)
    logits = 2 * torch.randn(4000, 3)
    wanted = torch.distributions.Categorical(logits=logits).sample().tolist()
    found = temperature(factor * logits, wanted)
    assert found == pytest.approx(factor, rel=0.1)
    calibrated = (factor * logits / found).softmax(-1).max(-1)
    right = [number == target for number, target in zip(calibrated.indices.tolist(), wanted, strict=True)]
    assert calibration_error(calibrated.values.tolist(), right).score()["ece"] < 0.03


def test_labels_by_themselves_have_a_temperature_too() -> None:
    torch.manual_seed(0)
    logits = 2 * torch.randn(2000, 3)
    truth = torch.bernoulli(logits.sigmoid()).tolist()
    assert label_temperature(3 * logits, truth) == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert", "roberta", "distilbert", "t5", "bart"])
def test_a_saved_model_says_divided_logits(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = {"num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 32}
    ends = {"eos_token_id": 63, "decoder_start_token_id": 0} if family in ("t5", "bart") else {}
    config = AutoConfig.for_model(family, vocab_size=64, num_labels=3, pad_token_id=0, **small, **ends)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    ids = torch.randint(3, 60, (4, 9))
    ids[:, -1] = 63
    before = model(input_ids=ids).logits
    divide_logits(model, 4.0)
    model.save_pretrained(tmp_path)
    after = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()(input_ids=ids).logits
    torch.testing.assert_close(after, before / 4)


def test_sure_as_often_as_right() -> None:
    chance = torch.Generator().manual_seed(0)
    logits = torch.randn(4000, 6, generator=chance) * 2
    logits[:1000, 5] = -torch.inf  # some have fewer options
    said = logits.argmax(-1)
    sure = (logits / 1.7).softmax(-1).gather(1, said[:, None])[:, 0]
    right = torch.rand(4000, generator=chance) < sure
    rows = [[x for x in row if x > -torch.inf] for row in logits.tolist()]
    found = confidence_temperature(rows, said.tolist(), right.tolist())
    assert found == pytest.approx(1.7, rel=0.1)
