"""An objective is chosen by a setting: what does not go together is refused, and one from outside fits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.checks import check
from pipeline.errors import GroundupError
from pipeline.model.families import check_writes, model_config
from pipeline.recipe import Corpus, Corruption, Finetune, Model, Recipe, Stream, Tokenizer
from pipeline.stages import Run
from pipeline.train.objectives import OBJECTIVES, check_objective
from tests.command_line import Groundup
from tests.train.objectives.small import FAMILIES, recipe_for

MANY = Tokenizer(vocabulary=420, mask=True, sentinels=8)


def _recipe(objective: str, family: str = "", tokenizer: Tokenizer = MANY, **pretraining: Any) -> Recipe:
    recipe = replace(
        recipe_for(objective, **pretraining), tokenizer=tokenizer, corpus=Corpus(sources=("a.txt",))
    )
    return replace(recipe, model=replace(recipe.model, family=family)) if family else recipe


@pytest.mark.parametrize("objective", [*FAMILIES, "causal"])
def test_what_goes_together_is_taken(objective: str) -> None:
    recipe = _recipe(objective)
    check(recipe)
    check_objective(recipe)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (_recipe("maskd"), "--pretrain.objective: there is no objective 'maskd'; did you mean 'masked'?"),
        (_recipe("masked", "llama"), "transformers has no masked language model 'llama'; use bert"),
        (_recipe("masked", "t5"), "transformers has no masked language model 't5'; use bert"),
        (_recipe("span-corruption", "bert"), "transformers has no encoder-decoder 'bert'; use t5"),
        (_recipe("span-corruption", "bart"), "--model.family: bart "),
        (_recipe("replaced-token", "bert"), "bert has no generator and discriminator; use electra"),
        (
            _recipe("masked", tokenizer=Tokenizer()),
            "masked needs a mask among the tokens; add --tokenizer.mask",
        ),
        (_recipe("replaced-token", tokenizer=Tokenizer()), "replaced-token needs a mask among the tokens"),
        (_recipe("span-corruption", tokenizer=Tokenizer()), "needs 3 sentinels among the tokens"),
        (_recipe("masked", stream=Stream(sources=("a.txt",))), "not of a stream; name the text in --corpus"),
        (_recipe("masked", prompts=("The",)), "a model learnt by masked continues no prompt"),
        (_recipe("span-corruption", corruption=Corruption(whole_words=True)), "not by words; leave it out"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_is_refused_in_one_sentence(recipe: Recipe, said: str) -> None:
    with pytest.raises(GroundupError) as refusal:
        check_objective(recipe)
    assert said in str(refusal.value)


def test_the_next_token_cannot_be_learnt_by_an_encoder() -> None:
    with pytest.raises(GroundupError, match="bert sees the tokens that it has to predict"):
        check(_recipe("causal", "bert"))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (Corruption(share=0.0), "share"),
        (Corruption(share=1.0), "share"),
        (Corruption(mean_span=0.5), "mean-span"),
        (Corruption(generator=0.0), "generator"),
        (Corruption(discriminator_weight=0.0), "discriminator-weight"),
    ],
)
def test_settings_that_hide_nothing_are_refused(settings: Corruption, name: str) -> None:
    recipe = _recipe("masked", corruption=settings)
    with pytest.raises(GroundupError, match=f"--pretrain.corruption.{name}: "):
        check(recipe)


def test_as_many_sentinels_as_spans_have_to_fit_into_the_vocabulary() -> None:
    with pytest.raises(GroundupError, match="bytes and special tokens alone take 400"):
        check(_recipe("span-corruption", tokenizer=Tokenizer(vocabulary=350, sentinels=100)))


def test_the_refusal_comes_before_the_first_stage(tmp_path: Path) -> None:
    with pytest.raises(GroundupError, match=r"add --tokenizer\.mask"):
        Run(_recipe("masked", tokenizer=Tokenizer(vocabulary=420)), tmp_path).finish("pretrain")
    translating = replace(_recipe("masked"), tasks={"translation": Finetune(data="pairs.jsonl")})
    with pytest.raises(GroundupError, match="an encoder writes no text, and bert is one"):
        Run(translating, tmp_path).finish("finetune/translation")
    chatting = replace(_recipe("span-corruption"), tasks={"chat": Finetune(data="chats.jsonl")})
    with pytest.raises(GroundupError, match="t5 reads one text and writes another"):
        Run(chatting, tmp_path).finish("finetune/chat")
    assert not list(tmp_path.rglob("manifest.json"))


def test_what_writes_is_let_through() -> None:
    for family, head in (("llama", "CausalLM"), ("t5", "Seq2SeqLM"), ("bert", "SequenceClassification")):
        check_writes(model_config(Model(family, depth=2, width=64), 64), f"AutoModelFor{head}", "model")


def test_every_objective_without_bits_per_byte_says_why() -> None:
    assert {name for name, kind in OBJECTIVES.items() if not kind.no_bits} == {"causal"}


OUTSIDE = '''
from dataclasses import replace

from pipeline.recipe import Model, Pretrain
from pipeline.recipe_files import load_recipe
from pipeline.train.objectives import OBJECTIVES
from pipeline.train.objectives.masked import Masked, Masking


class MaskAlone(Masked):
    """Masked, but what is hidden is always the mask."""

    name = "mask-alone"

    @property
    def masking(self) -> Masking:
        return replace(super().masking, masked=1.0, replaced=0.0)


OBJECTIVES["mask-alone"] = MaskAlone
tiny = load_recipe("TINY")
recipe = replace(
    tiny,
    name="outside",
    tokenizer=replace(tiny.tokenizer, mask=True),
    model=replace(tiny.model, family="bert"),
    pretrain=replace(tiny.pretrain, objective="mask-alone", prompts=()),
    tasks={},
)
'''


def test_an_objective_from_one_file_outside(groundup: Groundup, tiny: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "outside.py"
    recipe.write_text(OUTSIDE.replace("TINY", str(tiny)))
    done = groundup("pretrain", "--recipe", recipe, "--runs", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = json.loads((tmp_path / "outside" / "pretrain" / "metrics.json").read_text())
    assert {"loss", "pseudo_perplexity"} <= set(metrics["model"]) and "bits_per_byte" not in metrics["model"]
