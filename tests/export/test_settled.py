"""What is settled after training survives an export: thresholds of several labels, an adapter of a name."""

from __future__ import annotations

import random
from importlib.util import find_spec
from pathlib import Path

import pytest
from transformers import AutoModelForSequenceClassification

from pipeline.artifacts import read_json, read_json_lines
from pipeline.cli import main
from pipeline.export.check import TOLERANCE
from pipeline.export.export import export
from pipeline.recipe import Finetune, Model, Pretrain, Recipe
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
from tests.tasks.bases import BAD, GOOD, publish, sentence, write_rows

pytestmark = pytest.mark.skipif(find_spec("torchao") is None, reason="int8 needs make setup-torchao")


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished BERT that gives texts any number of labels."""
    place, chance = tmp_path_factory.mktemp("several"), random.Random(0)
    rows = []
    for number in range(300):
        names = [name for bit, name in enumerate(("good", "bad")) if number >> bit & 1]
        parts = [sentence(GOOD if name == "good" else BAD, number, chance) for name in names]
        rows.append({"text": " ".join(parts) or f"the film {number}", "label": names})
    settings = Finetune(
        data=write_rows(place / "a.jsonl", rows),
        model=publish("bert", place / "base"),
        problem="labels",
        steps=60,
        global_batch=16,
        micro_batch=16,
        max_tokens=24,
        learning_rate=5e-3,
        compile="no",
        from_scratch=False,
    )
    recipe = Recipe(
        name="several",
        held_out=0.2,
        model=Model(start=settings.model),
        pretrain=Pretrain(steps=0),
        tasks={"sentiment": settings},
    )
    run = Run(recipe, place)
    run.finish("finetune/sentiment")
    return run


def test_thresholds_of_labels(several: Run) -> None:
    made = several.artifact("finetune/sentiment")
    thresholds = read_json(made.path / "config.json")["decision_thresholds"]
    assert set(thresholds) == {"good", "bad"}
    said = [line["prediction"] for line in read_json_lines(made.path / "predictions.jsonl")]
    assert [] in said and ["bad", "good"] in [sorted(labels) for labels in said]
    for artifact in export(several, "sentiment", ["onnx", "int8"]):
        config, row = read_json(artifact.path / "config.json"), artifact.metrics()[artifact.path.name]
        assert config["decision_thresholds"] == thresholds
        assert config["problem_type"] == "multi_label_classification"
        assert artifact.metrics()["original"]["micro_f1"] == made.metrics()["model"]["micro_f1"]
        if (
            artifact.path.name == "onnx"
        ):  # a text whose probability is next to a threshold may change in 8 bits
            assert row["agreement"] == 1 and row["micro_f1"] == made.metrics()["model"]["micro_f1"]
            assert row["largest_difference"] < TOLERANCE / 10


def test_an_adapter_is_merged(whole_run: Path, tiny: Path) -> None:
    where = ["--recipe", str(tiny), "--runs", str(whole_run), "--task", "sentiment", "--adapter", "anna"]
    assert main(["finetune", *where]) == 0
    before = sorted(path.name for path in (whole_run / "tiny/adapters/sentiment/anna").rglob("*"))
    assert main(["export", *where, "--format", "onnx", "int8"]) == 0
    assert sorted(path.name for path in (whole_run / "tiny/adapters/sentiment/anna").rglob("*")) == before
    recipe = load_recipe(str(tiny))
    run = Run(recipe, whole_run)
    rows = {name: run.artifact(f"export/adapters/sentiment/anna/{name}") for name in ("onnx", "int8")}
    made = run.artifact("adapters/sentiment/anna").metrics()["model"]
    for name, artifact in rows.items():
        assert artifact.manifest()["inputs"] == {
            "adapters/sentiment/anna": run.artifact("adapters/sentiment/anna").fingerprint()
        }
        assert artifact.metrics()["original"]["accuracy"] == pytest.approx(made["accuracy"])
        assert artifact.metrics()[name]["largest_difference"] < (TOLERANCE if name == "onnx" else 0.1)
    assert AutoModelForSequenceClassification.from_pretrained(rows["int8"].path).config.num_labels == 2
    assert not (run.path / "export" / "sentiment" / "anna").exists()
