"""The vocabulary that suits a model; the report, counted by hand; the table beside other tokenizers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Library
from tokenizers import models, pre_tokenizers

from pipeline.cli import main
from pipeline.model.dial import layer_parameters, shape_of
from pipeline.model.families import model_config
from pipeline.model.vocabulary import LARGEST, SMALLEST, vocabulary_size
from pipeline.recipe import Model, Recipe, Tokenizer
from pipeline.tokenizer.report import embedding_cost, measure
from pipeline.tokenizer.sample import Text
from tests.command_line import Groundup


def _size(**model: int) -> int:
    return vocabulary_size(Recipe(model=Model(**model)))  # type: ignore[arg-type]


def test_larger_models_get_larger_vocabularies() -> None:
    sizes = [_size(depth=depth) for depth in range(2, 61)]
    assert sizes == sorted(sizes) and sizes[0] == SMALLEST and len(set(sizes)) > 20
    assert all(size % 128 == 0 for size in sizes)
    assert _size(depth=200) == LARGEST
    seven_billion = _size(depth=35, width=4096)  # Tao et al. (2024), table 1: 60 to 67 thousand
    assert 60_000 < seven_billion < 70_000
    assert vocabulary_size(Recipe(tokenizer=Tokenizer(vocabulary=5000))) == 5000


@pytest.mark.parametrize("family", ["qwen3", "llama", "gpt2"])
def test_the_layers_are_as_large_as_is_said(family: str) -> None:
    from transformers import AutoModelForCausalLM

    settings = Model(family=family, depth=12, context=16)
    model = AutoModelForCausalLM.from_config(model_config(settings, 64))
    rest = model.num_parameters() - model.get_input_embeddings().weight.numel()
    assert layer_parameters(shape_of(settings)) == pytest.approx(rest, rel=0.01)


def test_numbers_counted_by_hand() -> None:
    tokenizer = Library(models.WordLevel({"?": 0, "the": 1, "film": 2, ",": 3}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    texts = [Text("the film, the end", "a", "en"), Text("été", "b", "fr"), Text("the film", "b", "en")]
    rows = {row.name: row.numbers() for row in measure(tokenizer, texts, unknown=0)}
    assert list(rows) == ["all", "language:en", "language:fr", "source:a", "source:b"]
    assert rows["all"] == {
        "bytes_per_token": (17 + 5 + 8) / 8,
        "tokens_per_word": 8 / 7,
        "unknown_share": 2 / 8,
    }
    assert rows["source:a"] == {"bytes_per_token": 17 / 5, "tokens_per_word": 5 / 4, "unknown_share": 1 / 5}
    assert rows["language:fr"] == {"bytes_per_token": 5, "tokens_per_word": 1, "unknown_share": 1}


def test_the_cost_is_counted_on_the_model() -> None:
    cost = embedding_cost(Model(depth=2, width=128, context=64), 1000)
    assert cost.embeddings == 1024 * 128 and 0 < cost.numbers()["embedding_share"] < 1


def test_the_table_through_the_command_line(
    groundup: Groundup, tiny: Path, whole_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = ["--recipe", str(tiny), "--runs", str(whole_run)]
    other = str(whole_run / "tiny" / "pretrain")
    assert main(["tokenizer", "--compare", other, "no/such", *there]) == 0
    said = capsys.readouterr().out
    rows = 5  # cost, all, two sources, English
    assert said.count(f"{other} ") == rows and said.count("this recipe's") == rows
    (line,) = [line for line in said.splitlines() if "no/such" in line]
    assert line.startswith(
        "not compared with no/such: the Hub is switched off, and it is neither here nor in"
    )
    metrics = json.loads((whole_run / "tiny" / "tokenizer" / "metrics.json").read_text("utf-8"))
    assert f"{metrics['model']['bytes_per_token']:.3f}" in said
    assert all(isinstance(value, int | float) for row in metrics.values() for value in row.values())

    assert main(["tokenizer", *there]) == 0
    assert "smollm2" not in capsys.readouterr().out


def test_the_vocabulary_follows_the_model(groundup: Groundup, tiny: Path, tmp_path: Path) -> None:
    from pipeline.recipe_files import load_recipe
    from pipeline.stages import Run

    recipe = replace(load_recipe(str(tiny)), tokenizer=Tokenizer())
    larger = replace(recipe, model=Model(depth=24))
    runs = [Run(r, tmp_path) for r in (recipe, larger)]
    assert len({run.fingerprint(run.stages()["tokenizer"]) for run in runs}) == 2, (
        "a larger model has another tokenizer"
    )


@pytest.mark.parametrize("algorithm", ["unigram", "wordpiece", "word"])
def test_a_model_is_trained_on_every_algorithm(tiny: Path, tmp_path: Path, algorithm: str) -> None:
    there = ["--recipe", str(tiny), "--runs", str(tmp_path), "--tokenizer.algorithm", algorithm]
    less = ["--pretrain.steps", "2", "--pretrain.evaluate-every", "0", "--finetune.steps", "1"]
    assert main(["finetune", "--task", "qa", *there, *less, "--finetune.no-from-scratch"]) == 0
    for line in (tmp_path / "tiny/finetune/qa/predictions.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        assert row["context"][row["start"] : row["end"]] == row["prediction"]
