"""Settings: what is refused before any work, and what a fingerprint depends on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.checks import check
from pipeline.errors import GroundupError
from pipeline.recipe import Corpus, Executor, Finetune, Model, Pretrain, Recipe
from pipeline.recipe_files import load_recipe, recipe_names
from pipeline.settings import fingerprint

SOUND = Recipe(corpus=Corpus(sources=("some.txt",)))


def _sentiment(**settings: Any) -> Recipe:
    return replace(SOUND, tasks={"sentiment": Finetune(**settings)})


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_that_come_along_are_sound(name: str) -> None:
    recipe = load_recipe(name)
    check(recipe)
    assert recipe.name == name


def test_the_recipes_are_those_of_the_readme() -> None:
    names = ["base_1b", "chinese", "dial", "gpt2_small", "lineage", "nanogpt", "quickstart", "smollm2"]
    assert recipe_names() == names


@pytest.mark.parametrize(
    ("broken", "setting"),
    [
        (replace(SOUND, pretrain=Pretrain(steps=-1)), "--pretrain.steps"),
        (replace(SOUND, pretrain=Pretrain(global_batch=-8)), "--pretrain.global-batch"),
        (replace(SOUND, pretrain=Pretrain(micro_batch=0)), "--pretrain.micro-batch"),
        (replace(SOUND, pretrain=Pretrain(learning_rate=-1.0)), "--pretrain.learning-rate"),
        (replace(SOUND, pretrain=Pretrain(tokens_per_parameter=0.0)), "--pretrain.tokens-per-parameter"),
        (
            replace(SOUND, model=Model(start="a"), pretrain=Pretrain(steps=9, global_batch=8)),
            "--pretrain.learning-rate",
        ),
        (
            replace(SOUND, model=Model(start="a"), pretrain=Pretrain(steps=9, learning_rate=1e-4)),
            "--pretrain.global-batch",
        ),
        (replace(SOUND, model=Model(depth=0)), "--model.depth"),
        (replace(SOUND, model=Model(width=100)), "--model.width"),
        (replace(SOUND, model=Model(width=96, heads=5)), "--model.heads"),
        (replace(SOUND, model=Model(kv_heads=4)), "--model.kv-heads"),
        (replace(SOUND, model=Model(context=8)), "--model.context"),
        (replace(SOUND, model=Model(family="lama")), "--model.family"),
        (replace(SOUND, held_out=1.5), "--held-out"),
        (replace(SOUND, corpus=Corpus()), "--corpus.sources"),
        (replace(SOUND, corpus=Corpus(sources=("a",), weights=(1.0, 2.0))), "--corpus.weights"),
        (replace(SOUND, corpus=Corpus(sources=("a", "b"), weights=(1.0, 0.0))), "--corpus.weights"),
        (replace(SOUND, corpus=Corpus(sources=("a", "a"), weights=(1.0, 2.0))), "--corpus.sources"),
        (replace(SOUND, corpus=Corpus(sources=("a",), longest_document=50)), "--corpus.longest-document"),
        (replace(SOUND, executor=Executor(kind="slurm")), "--executor.partition"),
        (replace(SOUND, tasks={"qa": Finetune(optimizer="schedule-free")}), "--tasks.qa.schedule"),
        (replace(SOUND, pretrain=Pretrain(optimizer="schedule-free")), "--pretrain.schedule"),
        (replace(SOUND, pretrain=Pretrain(muon_learning_rate=0.0)), "--pretrain.muon-learning-rate"),
        (replace(SOUND, pretrain=Pretrain(betas=(0.9, 1.0))), "--pretrain.betas"),
        (replace(SOUND, pretrain=Pretrain(warmup=0.5, decay=0.6)), "--pretrain.decay"),
        (replace(SOUND, pretrain=Pretrain(schedule="linear", decay=-0.1)), "--pretrain.decay"),
        (replace(SOUND, pretrain=Pretrain(final_rate=1.5)), "--pretrain.final-rate"),
        (replace(SOUND, pretrain=Pretrain(schedule="linear", final_rate=0.1)), "--pretrain.final-rate"),
        (replace(SOUND, pretrain=Pretrain(z_loss=-1e-4)), "--pretrain.z-loss"),
        (replace(SOUND, tasks={"qa": Finetune(learning_rate=0.0)}), "--tasks.qa.learning-rate"),
        (replace(SOUND, tasks={"qa": Finetune(global_batch=0)}), "--tasks.qa.global-batch"),
        (replace(SOUND, tasks={"qa": Finetune(n_best=0)}), "--tasks.qa.n-best"),
        (_sentiment(pair_column="b", long_texts="windows"), "--tasks.sentiment.long-texts"),
        (_sentiment(label_separator=""), "--tasks.sentiment.label-separator"),
        (_sentiment(problem="grades", class_weights="balanced"), "--tasks.sentiment.class-weights"),
        (_sentiment(problem="grades", label_names=("1", "2")), "--tasks.sentiment.label-names"),
        (_sentiment(problem="grades", choose_threshold=True), "--tasks.sentiment.choose-threshold"),
    ],
)
def test_impossible_combinations_are_refused(broken: Recipe, setting: str) -> None:
    with pytest.raises(GroundupError) as refusal:
        check(broken)
    assert refusal.value.where == setting


def test_schedule_free_takes_a_constant_rate() -> None:
    check(replace(SOUND, pretrain=Pretrain(optimizer="schedule-free", schedule="constant")))


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(GroundupError, match="did you mean 'quickstart'"):
        load_recipe("quikstart")


def test_a_file_without_a_recipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("recipe = 3\n")
    with pytest.raises(GroundupError, match="no 'recipe' of type Recipe"):
        load_recipe(str(tmp_path / "empty.py"))


def test_incidental_settings_stay_out_of_the_fingerprint() -> None:
    mark = fingerprint(Pretrain())
    assert fingerprint(Pretrain(log_every=3, checkpoint_every=7)) == mark
    assert fingerprint(Pretrain(learning_rate=1e-4)) != mark
    assert fingerprint({"a": Pretrain()}) != fingerprint({"b": Pretrain()})
