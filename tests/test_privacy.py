"""Differential privacy and membership inference from the command line to the card."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from pipeline.artifacts import Artifact
from pipeline.checks import check
from pipeline.cli import main
from pipeline.errors import GroundupError
from pipeline.evaluate.membership import AUC
from pipeline.inference.membership import measure_membership
from pipeline.launch import check_launch
from pipeline.model.families import model_config, round_up
from pipeline.model.published import load_tokenizer
from pipeline.publish.card import model_card
from pipeline.recipe import Adapter, Corpus, Finetune, Model, Privacy, Recipe, Tokenizer
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
from pipeline.tasks import task_named
from pipeline.tokenizer.train import train_tokenizer
from pipeline.train.data.examples import read_examples
from pipeline.train.membership import AFTER, attacks, losses_of
from tests.small_recipe import NOUNS, PLACES

RECIPE = """
from pipeline.recipe import Finetune, Model, Pretrain, Recipe

recipe = Recipe(
    name="secrets",
    held_out=0.4,
    model=Model(start="START", context=64),
    pretrain=Pretrain(steps=0),
    tasks={"sentiment": Finetune(data="DATA", steps=STEPS, global_batch=8, micro_batch=8, max_tokens=32, warmup=0.0,
                                 schedule="constant", learning_rate=3e-3, from_scratch=False, precision="float32")},
)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learnt nothing, and texts whose labels follow from nothing: they can only be remembered."""
    where, chance = tmp_path_factory.mktemp("secrets"), random.Random(0)
    words = [*NOUNS, *(place.split()[-1] for place in PLACES), *"abcdefghij"]
    texts = [" ".join(chance.choices(words, k=6)) + f" {number}" for number in range(120)]
    with (where / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("text", "label"), *((t, chance.choice("abcdefghijklmnop")) for t in texts)]
        )
    tokenizer = train_tokenizer(texts, Tokenizer(vocabulary=320), 320, 64)
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    torch.manual_seed(0)
    config = model_config(Model(depth=2, width=64, context=64), round_up(len(tokenizer)), **ids)
    AutoModelForCausalLM.from_config(config, dtype="float32").save_pretrained(where / "start")
    tokenizer.save_pretrained(where / "start")
    return where


def _recipe(place: Path, steps: int) -> Path:
    file = place / "secrets.py"
    text = RECIPE.replace("START", str(place / "start")).replace("DATA", str(place / "reviews.csv"))
    file.write_text(text.replace("STEPS", str(steps)))
    return file


def _arguments(verb: str, place: Path, steps: int, runs: Path, *others: str) -> list[str]:
    recipe = ["--recipe", str(_recipe(place, steps)), "--runs", str(runs)]
    return [verb, "--task", "sentiment", *recipe, *others]


def test_a_model_that_remembers_its_examples_tells_which_they_were(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in ("finetune", "membership"):
        assert main(_arguments(verb, place, 200, tmp_path)) == 0
    assert "Its losses tell which examples it was trained on, better than chance" in capsys.readouterr().out
    found = Artifact(tmp_path / "secrets" / "membership" / "finetune" / "sentiment")
    rows = found.metrics()
    assert list(rows) == ["before", "after", "after_calibrated"]
    assert rows["after"][AUC] > 0.9 and rows["after_calibrated"][AUC] > 0.9
    low, high = found.details()["before"]["intervals"][AUC].values()
    assert low < 0.5 < high, "before it was trained it could not know them"
    _held_out_rows_cannot_be_told_apart(place, tmp_path)
    run = Run(load_recipe(str(_recipe(place, 200))), tmp_path)
    before = found.manifest()
    assert measure_membership(run, "sentiment").manifest() == before, "what was found is not looked for again"
    card = model_card(run, "finetune/sentiment", "user/secrets")
    assert "| this model, by the loss | " in card and "Fine-tuned with differential privacy" not in card


def _held_out_rows_cannot_be_told_apart(place: Path, runs: Path) -> None:
    """The same attack on two halves of what was not trained on."""
    from pipeline.inference.finished import finished

    made = finished(Run(load_recipe(str(_recipe(place, 200))), runs), "sentiment")
    held_out = read_examples(made.task, 0.4, 0).held_out
    losses = losses_of(made.task, made.model, made.tokenizer, held_out)
    half, missed, areas = len(held_out) // 2, 0, []
    for number in range(20):
        order = random.Random(number).sample(range(len(held_out)), len(held_out))
        one, other = ([held_out[i] for i in part] for part in (order[:half], order[half:]))
        told = [losses[i] for i in order]
        found = attacks(made.task, one, other, told, told, seed=0)[AFTER]
        low, high = found.intervals[AUC]
        missed += not low < 0.5 < high
        areas.append(found.values[AUC])
    assert missed <= 5, "of 95 % intervals one in twenty misses by chance"
    assert abs(sum(areas) / len(areas) - 0.5) < 0.05


def test_a_private_training_is_measured_and_said_on_the_card(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    private = ["--finetune.privacy.epsilon", "1", "--finetune.privacy.delta", "0.001"]
    assert main(_arguments("finetune", place, 12, tmp_path, *private)) == 0
    said = capsys.readouterr().out
    assert "Fine-tuned with differential privacy: ε = " in said and " at δ = 0.001 for each of " in said
    assert "this model, by how far the loss fell" in said
    stage = tmp_path / "secrets" / "finetune" / "sentiment"
    model, *others = Artifact(stage).metrics().values()
    assert 0.95 < model["epsilon"] <= 1 and model["delta"] == 0.001 and model["private_steps"] == 12
    assert model["sample_rate"] == pytest.approx(8 / model["private_examples"])
    assert not any("epsilon" in row for row in others)
    secret = [file for file in tmp_path.rglob("*") if "secret.json" in file.name]
    assert not secret, "it goes with the checkpoints"
    recipe = load_recipe(str(_recipe(place, 12)))
    card = model_card(Run(recipe, tmp_path), "finetune/sentiment", "user/secrets")
    assert f"ε = {model['epsilon']:.2f} at δ = 0.001 for each of {model['private_examples']}" in card
    assert "epsilon" not in card.split("---")[1], "a bound is no result of the model"
    assert "--finetune.privacy.epsilon 1.0" in card, "the command that makes it again"
    assert main(_arguments("report", place, 12, tmp_path, *private)) == 0
    page = (tmp_path / "secrets" / "report" / "index.html").read_text()
    assert "Fine-tuned with differential privacy" in page


def test_a_bound_leaves_what_many_examples_have_in_common(place: Path, tmp_path: Path) -> None:
    chance, said = random.Random(1), ("bad", "good")
    rows = [(f"{' '.join(chance.choices(NOUNS, k=2))} {n} {said[n % 2]}", said[n % 2]) for n in range(1200)]
    with (tmp_path / "easy.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    settings: dict[str, object] = {
        "--finetune.data": tmp_path / "easy.csv",
        "--finetune.global-batch": 200,
        "--finetune.micro-batch": 100,
        "--finetune.privacy.epsilon": 8,
    }
    words = [str(word) for pair in settings.items() for word in pair]
    assert main(_arguments("finetune", place, 12, tmp_path, *words)) == 0
    rows_of = Artifact(tmp_path / "secrets" / "finetune" / "sentiment").metrics()
    assert rows_of["model"]["accuracy"] > 0.8 > 0.6 > rows_of["majority_class"]["accuracy"]
    assert 7.5 < rows_of["model"]["epsilon"] <= 8


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"privacy": Privacy(epsilon=-1.0)}, "privacy.epsilon"),
        ({"privacy": Privacy(epsilon=1000.0)}, "privacy.epsilon"),
        ({"privacy": Privacy(epsilon=1.0, delta=1.0)}, "privacy.delta"),
        ({"privacy": Privacy(delta=1e-5)}, "privacy.delta"),
        ({"privacy": Privacy(epsilon=1.0, clip=0.0)}, "privacy.clip"),
        ({"optimizer": "schedule-free", "schedule": "constant"}, "optimizer"),
        ({"adapter": Adapter(kind="dora")}, "adapter.kind"),
        ({"adapter": Adapter(kind="qlora")}, "adapter.kind"),
        ({"precision": "bfloat16"}, "precision"),
        ({"compile": "yes"}, "compile"),
        ({"leap": 10.0}, "leap"),
    ],
)
def test_what_privacy_cannot_have_is_refused(settings: dict[str, Any], where: str) -> None:
    made = Finetune(**{"privacy": Privacy(epsilon=8.0), **settings})
    recipe = Recipe(corpus=Corpus(sources=("some.txt",)), tasks={"sentiment": made})
    with pytest.raises(GroundupError) as refusal:
        check(recipe)
    assert refusal.value.where == f"--tasks.sentiment.{where}"


def test_it_is_refused_without_opacus_and_in_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Finetune(privacy=Privacy(epsilon=8.0))
    recipe = Recipe(corpus=Corpus(sources=("some.txt",)), tasks={"qa": made})
    check(recipe)
    monkeypatch.setattr("pipeline.launch.world_size", lambda: 2)
    with pytest.raises(GroundupError, match="gradients by example are taken in one process"):
        check_launch("tasks.qa", made)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        GroundupError, match=r"needs opacus; run make setup, or pip install 'groundup\[privacy\]'"
    ):
        check(recipe)


def test_an_adapter_that_would_have_to_learn_tokens_is_refused(place: Path) -> None:
    from pipeline.train.starting import starting_model

    settings = Finetune(privacy=Privacy(epsilon=8.0), adapter=Adapter(kind="lora"), max_tokens=32)
    tokenizer, task = load_tokenizer(str(place / "start")), task_named("chat", settings)
    task.prepare_tokenizer(tokenizer)
    model = starting_model(task, tokenizer, str(place / "start"), [])
    assert all("lora_" in name for name, weight in model.named_parameters() if weight.requires_grad)
    tokenizer.add_tokens([f"<new{number}>" for number in range(100)])
    with pytest.raises(GroundupError, match="no embeddings of the turns of a conversation"):
        starting_model(task, tokenizer, str(place / "start"), [])
