"""Private training: gradients by example, clipped and with noise; samples by chance; the same after an interruption."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from opacus.accountants import RDPAccountant
from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel

from pipeline.errors import GroundupError
from pipeline.recipe import Finetune, Privacy
from pipeline.train.arguments import training_arguments
from pipeline.train.data.batches import PadMicroBatch, longer_sides
from pipeline.train.example_loss import TARGETS, example_losses
from pipeline.train.faults.resuming import train_or_resume
from pipeline.train.private.budget import Budget, budget_of
from pipeline.train.private.gradients import with_gradients_by_example
from pipeline.train.private.sampling import PadDrawn, PoissonBatches, Secret
from pipeline.train.private.trainer import PrivateTrainer
from pipeline.train.private.training import trained_exactly
from tests.train.small_training import CAUSAL, CLASSES, PADDED_BY_ZERO, PLAIN, SPANS, examples, model_with
from tests.train.watched import FailsAt

SECRET = Secret(bytes(range(32)))
COUNT, BATCH, STEPS = 12, 4, 3
SETTINGS = Finetune(
    steps=STEPS, global_batch=BATCH, micro_batch=2, schedule="constant", warmup=0.0, learning_rate=1e-3
)


class Features(list[dict[str, Any]]):
    """Features that can be asked for a column, as a data set can."""

    def __getitem__(self, key: Any) -> Any:
        return [feature[key] for feature in self] if isinstance(key, str) else super().__getitem__(key)


def _budget(noise: float = 0.0, clip: float = 1e9, batch: int = BATCH, steps: int = STEPS) -> Budget:
    return Budget(COUNT, steps, batch, noise, clip, delta=1e-3)


def _trainer(
    head: str,
    directory: Path,
    budget: Budget,
    model: PreTrainedModel | None = None,
    loss: Callable[..., Any] | None = None,
    **arguments: Any,
) -> PrivateTrainer:
    """A training on a few random sequences; of every third one the last half is missing."""
    model, features = model or model_with(head), Features(examples(head, COUNT))
    for number in range(0, COUNT, 3):
        short = features[number]
        cut = len(short["input_ids"]) // 2
        if head == CAUSAL:
            short["labels"] = short["labels"][cut:]
        elif head == SPANS:
            short["end_positions"] = 5
        short["input_ids"] = short["input_ids"][cut:] if head == CAUSAL else short["input_ids"][:cut]
    data = PoissonBatches(
        features, range(COUNT), longer_sides(features), budget, SETTINGS.micro_batch, SECRET
    )
    settings = trained_exactly(SETTINGS)
    made = training_arguments(settings, PLAIN, directory, 0, **{"save_strategy": "no", **arguments})
    made.max_steps = budget.steps
    made.per_device_train_batch_size, made.gradient_accumulation_steps = 1, data.count
    pad = PadDrawn(PadMicroBatch(PADDED_BY_ZERO, model), features[0])
    return PrivateTrainer(model, loss, settings, data, pad, args=made)


def _stepped(trainer: PrivateTrainer) -> list[dict[str, torch.Tensor]]:
    """The gradients that each step of a training used, at the weights it began with."""
    seen: list[dict[str, torch.Tensor]] = []
    made = trainer.create_optimizer()
    for group in made.param_groups:
        group["lr"] = group["initial_lr"] = 0.0
    named = dict(trainer.model.named_parameters())
    made.attach_step_hook(
        lambda _: seen.append({n: p.grad.clone() for n, p in named.items() if p.grad is not None})
    )
    trainer.train()
    return seen


def _by_hand(head: str, trainer: PrivateTrainer, step: int, clip: float = 1e9) -> dict[str, torch.Tensor]:
    """By the definition: each example alone, its gradient clipped, summed, divided by the expected number."""
    total: dict[str, torch.Tensor] = {}
    data: Any = trainer.train_dataset
    for number in data.drawn(step):
        model = model_with(head)
        feature = data.features[number]
        batch = PadMicroBatch(PADDED_BY_ZERO, model)([[feature]])
        outputs = model(**{name: value for name, value in batch.items() if name not in TARGETS})
        example_losses(outputs, batch, model.config, None)[0].backward()
        gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        norm = torch.stack([g.norm() for g in gradients.values()]).norm()
        for name, gradient in gradients.items():
            share = gradient * min(1.0, clip / float(norm)) / BATCH
            total[name] = total.get(name, torch.zeros_like(share)) + share
    return total


@pytest.mark.parametrize("head", [CAUSAL, CLASSES, SPANS])
@pytest.mark.parametrize("clip", [1e9, 0.05])
def test_a_step_is_the_sum_of_clipped_gradients_however_divided(
    head: str, clip: float, tmp_path: Path
) -> None:
    trainer = _trainer(head, tmp_path, _budget(clip=clip))
    data: Any = trainer.train_dataset
    assert data.count > 1, "a step has to have several micro-batches"
    steps = _stepped(trainer)
    assert len(steps) == STEPS
    for step, found in enumerate(steps):
        expected = _by_hand(head, trainer, step, clip)
        assert found.keys() == expected.keys()
        for name, gradient in expected.items():
            torch.testing.assert_close(found[name], gradient, rtol=2e-3, atol=1e-6)


def test_no_example_moves_a_step_by_more_than_the_clip(tmp_path: Path) -> None:
    clip = 0.01
    for found, drawn in zip(*_norms(tmp_path, clip), strict=True):
        assert found <= drawn * clip / BATCH * (1 + 1e-4)


def _norms(directory: Path, clip: float) -> tuple[list[float], list[int]]:
    trainer = _trainer(CLASSES, directory, _budget(clip=clip))
    data: Any = trainer.train_dataset
    norms = [float(torch.cat([g.flatten() for g in step.values()]).norm()) for step in _stepped(trainer)]
    return norms, [len(data.drawn(step)) for step in range(STEPS)]


def test_noise_has_the_size_that_is_accounted_for_and_is_new_at_every_step(tmp_path: Path) -> None:
    noise, clip = 0.7, 0.3
    plain = _stepped(_trainer(CLASSES, tmp_path, _budget(clip=clip)))
    noisy = _stepped(_trainer(CLASSES, tmp_path, _budget(noise, clip)))
    added = [
        torch.cat([(with_noise[name] - without[name]).flatten() for name in without])
        for without, with_noise in zip(plain, noisy, strict=True)
    ]
    for one in added:
        assert float(one.std()) == pytest.approx(noise * clip / BATCH, rel=0.02)
        assert abs(float(one.mean())) < 0.02 * noise * clip / BATCH
    assert abs(float(torch.corrcoef(torch.stack(added[:2]))[0, 1])) < 0.02


def test_the_log_tells_the_share_of_examples_that_were_clipped(tmp_path: Path) -> None:
    whole = _trainer(CLASSES, tmp_path, _budget())
    data: Any = whole.train_dataset
    features = [data.features[number] for step in range(STEPS) for number in data.drawn(step)]
    lengths = []
    for feature in features:
        model = model_with(CLASSES)
        model(**PadMicroBatch(PADDED_BY_ZERO, model)([[feature]])).loss.backward()
        lengths.append(float(torch.cat([p.grad.flatten() for p in model.parameters()]).norm()))
    between = (min(lengths) + max(lengths)) / 2
    for clip in (1e9, between, 1e-9):
        trainer = _trainer(CLASSES, tmp_path, _budget(clip=clip), logging_steps=STEPS)
        _stepped(trainer)
        told = [line["clipped"] for line in trainer.state.log_history if "clipped" in line]
        assert told == [pytest.approx(sum(length > clip for length in lengths) / len(lengths))]


def test_a_step_without_examples_is_noise_alone(tmp_path: Path) -> None:
    budget = Budget(10_000, 3, 1, 0.0, 1.0, 1e-3)
    data = PoissonBatches(Features(examples(CLASSES, COUNT)), range(COUNT), [12] * COUNT, budget, 2, SECRET)
    assert [data.drawn(step) for step in range(3)] == [[], [], []] and len(data) == 3 and data[0] == []
    trainer = _trainer(CLASSES, tmp_path, _budget(batch=0))
    trainer.budget = _budget()  # by which the optimiser divides
    trainer.optimizer_cls_and_kwargs[1]["budget"] = _budget()
    assert all(not gradient.any() for step in _stepped(trainer) for gradient in step.values())


def test_every_example_is_drawn_by_chance_and_alone() -> None:
    budget = Budget(200, 500, 20, 1.0, 1.0, 1e-3)
    owners = [number // 2 for number in range(400)]  # two windows each
    data = PoissonBatches([{}] * 400, owners, [1] * 400, budget, 8, SECRET)
    steps = [data.drawn(step) for step in range(500)]
    sizes = torch.tensor([len(step) for step in steps], dtype=torch.float64)
    assert float(sizes.mean()) == pytest.approx(20, abs=0.6)
    assert float(sizes.var()) == pytest.approx(200 * 0.1 * 0.9, rel=0.2)
    for step in steps:
        assert max(Counter(owners[feature] for feature in step).values(), default=0) <= 1
    each = Counter(feature for step in steps for feature in step)
    assert set(each) == set(range(400)) and max(each.values()) < 60
    again = PoissonBatches([{}] * 400, owners, [1] * 400, budget, 8, SECRET)
    other = PoissonBatches([{}] * 400, owners, [1] * 400, budget, 8, Secret(bytes(32)))
    assert [again.drawn(step) for step in range(9)] == steps[:9] != [other.drawn(step) for step in range(9)]


def test_micro_batches_hold_each_drawn_example_once() -> None:
    budget, features = Budget(60, 40, 6, 1.0, 1.0, 1e-3), [{"n": number} for number in range(60)]
    data = PoissonBatches(features, range(60), [1] * 60, budget, 4, SECRET)
    for step in range(40):
        parts = [data[step * data.count + number] for number in range(data.count)]
        assert max(map(len, parts)) <= 4
        assert sorted(f["n"] for part in parts for f in part) == sorted(data.drawn(step))


def test_an_interruption_changes_nothing(tmp_path: Path) -> None:
    def train(directory: Path, *others: FailsAt) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        budget = _budget(noise=1.0, clip=0.1, steps=6)
        trainer = _trainer(CLASSES, directory, budget, save_strategy="steps", save_steps=2)
        for callback in others:
            trainer.add_callback(callback)
        train_or_resume(trainer, directory)
        return {name: weight.detach().clone() for name, weight in trainer.model.named_parameters()}

    whole = train(tmp_path / "whole")
    for step in (4, 6):
        with pytest.raises(RuntimeError, match="the machine is gone"):
            train(tmp_path / "broken", FailsAt(step))
    broken = train(tmp_path / "broken")
    start = dict(model_with(CLASSES).named_parameters())
    assert all(torch.equal(whole[name], broken[name]) for name in whole)
    assert not any(torch.equal(whole[name], start[name]) for name in whole)


def test_the_secret_stays_with_the_checkpoints_and_is_no_other_run_s(tmp_path: Path) -> None:
    one, again, other = (Secret.of(tmp_path / name) for name in ("one", "one", "other"))
    assert one.key == again.key != other.key
    assert (tmp_path / "one" / "secret.json").stat().st_mode & 0o077 == 0
    seeds = {one.seed(use, step) for use in ("noise", "sample") for step in range(100)}
    assert len(seeds) == 200
    drawn = [torch.randn(4, generator=secret.generator("noise", 0)) for secret in (one, again, other)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_the_noise_is_the_least_that_keeps_epsilon() -> None:
    epsilon = 0.5
    settings = Finetune(steps=50, global_batch=10, privacy=Privacy(epsilon=epsilon))
    budget = budget_of(settings, 1000)
    assert budget.delta == pytest.approx(1e-4) and budget.sample_rate == 0.01
    assert 0.98 * epsilon < budget.epsilon <= epsilon
    rougher = RDPAccountant()
    for _ in range(budget.steps):
        rougher.step(noise_multiplier=budget.noise_multiplier, sample_rate=budget.sample_rate)
    bound = rougher.get_epsilon(budget.delta)
    assert budget.epsilon < bound < 2.5 * budget.epsilon, (
        "another accountant has a looser bound, and not by much"
    )


def test_a_batch_of_all_examples_is_refused() -> None:
    with pytest.raises(GroundupError, match="32 of 20 training examples are no sample of them; use fewer"):
        budget_of(Finetune(global_batch=32, privacy=Privacy(epsilon=1.0)), 20)


SIZES: dict[str, Any] = {"vocab_size": 64, "num_labels": 2, "pad_token_id": 0}
NARROW = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48}
GPT2 = {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 32}
T5 = {"d_model": 32, "d_ff": 48, "num_layers": 1, "num_heads": 2, "d_kv": 16, "decoder_start_token_id": 0}


def _tried(head: str, config: Any, lora: str = "") -> bool:
    torch.manual_seed(0)
    model = getattr(transformers, head).from_config(config).train()
    if lora:
        model = get_peft_model(model, LoraConfig(task_type=lora, target_modules="all-linear", r=2)).train()
    ids = torch.randint(1, 64, (2, 7))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.tensor([0, 1])}
    if "Classification" not in head:
        batch["labels"] = ids
    if config.is_encoder_decoder:
        batch["decoder_input_ids"] = ids

    def losses(given: Any) -> torch.Tensor:
        read = {name: value for name, value in given.items() if name not in TARGETS}
        return example_losses(model(**read), given, config, None)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Full backward hook is firing", UserWarning)
        return with_gradients_by_example(model, batch, losses)


@pytest.mark.parametrize(
    ("head", "kind", "sizes", "gives_positions"),
    [
        (CAUSAL, "Qwen3Config", {**NARROW, "num_key_value_heads": 1, "tie_word_embeddings": True}, False),
        (CAUSAL, "GPT2Config", GPT2, True),
        (CLASSES, "BertConfig", NARROW, True),
        (CLASSES, "RobertaConfig", NARROW, False),
    ],
)
def test_gradients_by_example_are_right_for_families(
    head: str, kind: str, sizes: dict[str, Any], gives_positions: bool
) -> None:
    config = getattr(transformers, kind)(**SIZES, **sizes)
    assert _tried(head, config) is gives_positions


def test_models_whose_examples_share_a_layer_s_input_are_refused_unless_it_is_frozen() -> None:
    config = transformers.T5Config(**SIZES, **T5)
    with pytest.raises(
        GroundupError, match=r"relative_attention_bias.weight cannot be told apart; add --finetune.ad"
    ):
        _tried("AutoModelForSeq2SeqLM", config)
    assert _tried("AutoModelForSeq2SeqLM", config, lora="SEQ_2_SEQ_LM") is False


def test_losses_of_examples_do_not_depend_on_their_batch() -> None:
    for head in (CAUSAL, CLASSES, SPANS):
        model, features = model_with(head).eval(), examples(head, 5)
        features[0] = {**features[0], "input_ids": features[0]["input_ids"][:9]}
        if head == CAUSAL:
            features[0]["labels"] = features[0]["labels"][-9:]
        elif head == SPANS:
            features[0]["end_positions"] = 8
        pad = PadMicroBatch(PADDED_BY_ZERO, model)
        sides = []
        for groups in ([features], [[feature] for feature in features]):
            batches = [pad([group]) for group in groups]
            with torch.no_grad():
                found = [
                    example_losses(
                        model(**{n: v for n, v in b.items() if n not in TARGETS}), b, model.config, None
                    )
                    for b in batches
                ]
            sides.append(torch.cat(found))
        torch.testing.assert_close(*sides, rtol=1e-4, atol=1e-5)
        assert all(map(math.isfinite, sides[0].tolist()))
