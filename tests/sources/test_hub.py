"""A data set and a model of the Hub by name, through the real client and the stand-in Hub."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest

from tests.command_line import Groundup
from tests.hub_server import hub_server
from tests.hub_store import Blob, Repository

NAMES = ["sad", "glad"]


def _data_set(directory: Path) -> Repository:
    """Parquet files with numbers for labels and the names of the labels in their schema, as the Hub has them."""
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=NAMES)}
    )
    repository = Repository(private=False)
    files = {}
    for split, count in (("train", 40), ("test", 10)):
        rows = [{"text": f"{split}: a {NAMES[n % 2]} day {n}", "label": n % 2} for n in range(count)]
        datasets.Dataset.from_list(rows, features=features).to_parquet(directory / f"{split}.parquet")
        content = (directory / f"{split}.parquet").read_bytes()
        files[f"data/{split}-00000-of-00001.parquet"] = Blob(content, lfs=True)
    repository.commit(files)
    return repository


def _model(directory: Path) -> Repository:
    repository = Repository(private=False)
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    repository.commit({n: Blob((directory / n).read_bytes(), lfs=n.endswith("safetensors")) for n in names})
    return repository


def test_data_and_model_from_the_hub(groundup: Groundup, tiny: Path, whole_run: Path, tmp_path: Path) -> None:
    with hub_server() as hub:
        hub.datasets["user/days"] = _data_set(tmp_path)
        hub.repositories["user/base"] = _model(whole_run / "tiny" / "pretrain")
        done = groundup(
            "finetune", "--task", "sentiment", "--data", "user/days", "--model", "user/base", "--recipe", tiny,
            "--runs", tmp_path / "runs", "--finetune.label-names", **hub.environment(tmp_path / "home"),
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = tmp_path / "runs" / "tiny" / "finetune" / "sentiment"
    assert json.loads((out / "config.json").read_text())["label2id"] == {"glad": 0, "sad": 1}
    predictions = [json.loads(line) for line in (out / "predictions.jsonl").open()]
    assert len(predictions) == 10 and all(row["text"].startswith("test:") for row in predictions)
    assert predictions[0]["place"] == "hub:user/days test row 1"


@pytest.mark.parametrize(("rows", "start"), [("user/nothing", "user/base"), ("user/days", "user/nothing")])
def test_what_the_hub_does_not_have_is_one_line(
    groundup: Groundup, tiny: Path, whole_run: Path, tmp_path: Path, rows: str, start: str
) -> None:
    with hub_server() as hub:
        hub.datasets["user/days"] = _data_set(tmp_path)
        hub.repositories["user/base"] = _model(whole_run / "tiny" / "pretrain")
        done = groundup(
            "finetune", "--task", "sentiment", "--data", rows, "--model", start, "--recipe", tiny,
            "--runs", tmp_path / "runs", "--finetune.label-names", **hub.environment(tmp_path / "home"),
        )  # fmt: skip
    assert done.returncode == 2 and "user/nothing" in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1
