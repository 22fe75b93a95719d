"""The rules: their numbers by hand, in which order they follow from one another, and the table of the docs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from pipeline.model.cost import embedding_parameters
from pipeline.model.dial import SIZES
from pipeline.model.families import model_config, round_up
from pipeline.model.scaling import adamw_rate, batch_tokens, finetuning, followed, parameters, resolved
from pipeline.recipe import Finetune, Model, Optimizer, Pretrain, Recipe, Tokenizer
from tests.command_line import ROOT

OPTIMIZERS: tuple[Optimizer, ...] = ("muon", "adamw", "schedule-free")
SMALL = Recipe(model=Model(depth="gpt2-small"))


def test_step_law_by_hand() -> None:
    assert batch_tokens(1e10) == pytest.approx(0.58 * 10**5.71)
    assert adamw_rate(10**8, 1e10) == pytest.approx(1.79 * 10 ** (-5.704 + 3.07))
    assert adamw_rate(10**6, 1e10) == 2**-7


@pytest.mark.parametrize("size", ["tiny", "gpt2-small"])
def test_parameters_are_those_of_the_model(size: str) -> None:
    recipe = resolved(Recipe(model=Model(depth=size)))  # type: ignore[arg-type]  # one of the names
    config = model_config(recipe.model, round_up(recipe.tokenizer.vocabulary))
    assert parameters(recipe) == pytest.approx(embedding_parameters(config)[1], rel=0.02)


def test_everything_follows_from_the_size() -> None:
    recipe = resolved(SMALL)
    settings = recipe.pretrain
    assert recipe.model.depth == 12 and recipe.tokenizer.vocabulary > 300
    tokens = settings.steps * settings.global_batch * recipe.model.context
    assert tokens == pytest.approx(20 * parameters(recipe), rel=1e-3)
    assert settings.global_batch * recipe.model.context == pytest.approx(batch_tokens(tokens), rel=0.42)
    assert settings.global_batch in (64, 128, 256)
    assert settings.learning_rate == pytest.approx(adamw_rate(12 * 12 * 768**2, tokens), rel=0.01)
    assert settings.muon_learning_rate == resolved(Recipe(model=Model(depth=2))).pretrain.muon_learning_rate
    assert resolved(recipe) == recipe
    assert resolved(Recipe(model=Model(depth=1, context=4096))).pretrain.global_batch == 8  # the fewest


def test_what_is_set_stays_and_the_rest_follows_from_it() -> None:
    whole = resolved(SMALL).pretrain
    short = resolved(replace(SMALL, pretrain=Pretrain(steps=100))).pretrain
    assert (short.steps, short.global_batch) == (100, whole.global_batch)
    assert short.learning_rate == whole.learning_rate
    large = resolved(replace(SMALL, pretrain=Pretrain(global_batch=1024, learning_rate=1e-3))).pretrain
    assert (large.global_batch, large.learning_rate) == (1024, 1e-3)
    assert large.steps * 1024 == pytest.approx(whole.steps * whole.global_batch, rel=0.01)
    longer = resolved(replace(SMALL, pretrain=Pretrain(tokens_per_parameter=80.0))).pretrain
    assert longer.steps * longer.global_batch == pytest.approx(4 * whole.steps * whole.global_batch, rel=0.01)
    assert longer.learning_rate == pytest.approx(4**0.307 * whole.learning_rate, rel=0.01)


def test_adamw_for_everything_is_not_extrapolated_to_small_models() -> None:
    rates = {
        (size, optimizer): resolved(
            Recipe(model=Model(depth=size), pretrain=Pretrain(optimizer=optimizer))
        ).pretrain.learning_rate
        for size in (4, 12)
        for optimizer in OPTIMIZERS
    }
    assert rates[4, "adamw"] == rates[4, "schedule-free"] < rates[12, "adamw"] < rates[4, "muon"]
    assert rates[12, "adamw"] == rates[12, "muon"]


def test_published_weights_are_not_ruled() -> None:
    recipe = replace(SMALL, model=Model(start="somewhere"))
    assert resolved(recipe).pretrain == recipe.pretrain and resolved(recipe).tokenizer == recipe.tokenizer
    assert resolved(recipe).model.context == 256


def test_what_followed_is_told_from_what_was_set() -> None:
    recipe = Recipe(model=Model(depth="1b"), tokenizer=Tokenizer(vocabulary=4096))
    told = {f.setting: f.value == f.rule for f in followed(resolved(recipe))}
    assert [setting for setting, follows in told.items() if not follows] == ["tokenizer.vocabulary"]
    assert {"model.width", "model.kv-heads", "pretrain.learning-rate"} <= set(told)


def test_rules_need_no_torch() -> None:
    code = """
import sys
from pipeline.checks import check
from pipeline.model.scaling import resolved
from pipeline.recipe import Corpus, Model, Recipe
recipe = Recipe(corpus=Corpus(sources=("a.txt",)), model=Model(depth="1b"))
check(recipe)
resolved(recipe)
sys.exit(bool({"torch", "transformers"} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_table_of_the_docs_is_what_the_rules_say() -> None:
    rows = [_row(resolved(Recipe(model=Model(depth=name))), name) for name in SIZES]
    assert "\n".join(rows) in (ROOT / "docs" / "models.md").read_text("utf-8"), "\n".join(["", *rows])


def _row(recipe: Recipe, name: str) -> str:
    model, settings = recipe.model, recipe.pretrain
    _, counted = embedding_parameters(model_config(model, round_up(recipe.tokenizer.vocabulary)))
    tokens = settings.steps * settings.global_batch * model.context
    cells = [
        f"`{name}`",
        *(f"{number:,}" for number in (model.depth, model.width, model.heads, model.context)),
        f"{recipe.tokenizer.vocabulary:,}",
        f"{counted / 1e6:,.1f} M",
        f"{tokens / 1e9:.2g} B",
        f"{settings.global_batch:,}",
        f"{settings.steps:,}",
        f"{settings.learning_rate:g}",
    ]
    return f"| {' | '.join(cells)} |"


def test_a_fine_tunings_rate_and_steps_follow_from_the_model_and_the_data() -> None:
    open_settings = Finetune(passes=3.0, global_batch=16, learning_rate="auto")
    followed_ones = finetuning(open_settings, parameters=110_000_000, examples=1000)
    assert (followed_ones.steps, followed_ones.learning_rate) == (188, 5e-5)  # BERT base, its authors' middle
    assert finetuning(open_settings, 4_000_000, 1000).learning_rate == pytest.approx(1e-3, rel=0.05)
    assert finetuning(open_settings, 7_000_000_000, 1000).learning_rate == 1e-5
    assert finetuning(open_settings, 10_000, 1000).learning_rate == 1e-3
    declared = Finetune(steps=7, learning_rate=2e-4)
    assert finetuning(declared, 110_000_000, 1000) == declared
