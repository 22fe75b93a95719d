"""What a sweep tries: ranges and choices of any setting, typed as it is, and refused in one line."""

from __future__ import annotations

import pytest

from pipeline.errors import GroundupError
from pipeline.overrides import differences, override
from pipeline.recipe import Corpus, Finetune, Recipe
from pipeline.sweep.space import Choices, Range, space_of

RECIPE = Recipe(corpus=Corpus(sources=("some.txt",)), tasks={"sentiment": Finetune(), "qa": Finetune()})


@pytest.mark.parametrize(
    ("over", "values"),
    [
        ("pretrain.learning-rate=1e-4..1e-2:log", Range(1e-4, 1e-2, logarithmic=True)),
        ("--pretrain.learning_rate=0..1", Range(0.0, 1.0)),
        ("model.depth=2..8:2", Range(2, 8, step=2)),
        ("finetune.warmup=0..0.3:0.1", Range(0.0, 0.3, step=0.1)),
        ("pretrain.optimizer=muon,adamw", Choices(("muon", "adamw"))),
        ("corpus.sources=../a,b c", Choices(("../a", "b c"))),
        ("corpus.mask-personal-data=true,false", Choices(("true", "false"))),
    ],
)
def test_values_have_the_type_of_their_setting(over: str, values: Range | Choices) -> None:
    (found,) = space_of(RECIPE, [over], ["sentiment"]).dimensions.values()
    assert found == values
    assert [type(edge) for edge in found.edges] == [type(edge) for edge in values.edges]


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ([], "no setting is named"),
        (["pretrain.learning-rat=1..2"], "did you mean '--pretrain.learning-rate'?"),
        (["finetune.step=1..2"], "did you mean '--finetune.steps'?"),
        (["pretrain=1,2"], "no such setting"),
        (["pretrain.learning-rate"], "--pretrain.learning-rate"),
        (["pretrain.learning-rate=0.1"], "nothing to choose from"),
        (["pretrain.learning-rate=high..low"], "could not convert string to float: 'high'"),
        (["pretrain.learning-rate=1..0.1"], "1.0 is not below 0.1"),
        (["pretrain.learning-rate=0..1:log"], "has no logarithm"),
        (["pretrain.steps=1..2.5"], "--pretrain.steps"),
        (["pretrain.steps=100..500:70"], "steps of 70 do not lead from 100 to 500"),
        (["pretrain.optimizer=muon..adamw"], "only numbers have a range"),
        (["pretrain.optimizer=muon,adam"], "--pretrain.optimizer"),
        (["pretrain.optimizer=muon,muon"], "named twice"),
        (["corpus.mask-personal-data=true,perhaps"], "neither true nor false"),
        (["seed=0..3", "seed=4..5"], "named twice"),
    ],
)
def test_what_is_no_space_is_refused(over: list[str], words: str) -> None:
    with pytest.raises(GroundupError) as refusal:
        space_of(RECIPE, over, ["sentiment"])
    assert words in str(refusal.value)


def test_values_become_settings_and_a_command_line_that_gives_them_again() -> None:
    over = [
        "finetune.learning-rate=1e-4..1e-2",
        "corpus.mask-personal-data=true,false",
        "corpus.filters=c4,gopher-quality c4",
    ]
    space = space_of(RECIPE, over, ["sentiment"])
    recipe = space.at(
        {
            "finetune.learning-rate": 0.002,
            "corpus.mask-personal-data": "false",
            "corpus.filters": "gopher-quality c4",
        }
    )
    assert recipe.tasks["sentiment"].learning_rate == 0.002
    assert recipe.tasks["qa"] == RECIPE.tasks["qa"]
    assert not recipe.corpus.mask_personal_data and recipe.pretrain == RECIPE.pretrain
    assert recipe.corpus.filters == ("gopher-quality", "c4")
    assert override("groundup", RECIPE, differences(RECIPE, recipe), []) == recipe


def test_the_recipes_own_values_are_known_where_the_space_holds_them() -> None:
    assert space_of(RECIPE, ["pretrain.optimizer=adamw,muon", "model.depth=2..8:2"], []).own() == {
        "pretrain.optimizer": "muon",
        "model.depth": 6,
    }
    assert space_of(RECIPE, ["model.depth=1..9:2"], []).own() is None
