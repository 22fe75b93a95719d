"""A data set and a model of the Hub by name, through the real client and the stand-in Hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import datasets
import pytest

from tests.command_line import ROOT, Groundup
from tests.hub_server import hub_server
from tests.hub_store import Blob, Repository

NAMES = ["sad", "glad"]


def _data_set(directory: Path, shards: int = 1) -> Repository:
    """Parquet files with numbers for labels and the names of the labels in their schema, as the Hub has them."""
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=NAMES)}
    )
    repository = Repository(private=False)
    files = {}
    for split, count in (("train", 40), ("test", 10)):
        rows = [{"text": f"{split}: a {NAMES[n % 2]} day {n}", "label": n % 2} for n in range(count)]
        whole = datasets.Dataset.from_list(rows, features=features)
        for n in range(shards):
            path = directory / f"{split}-{n:05}-of-{shards:05}.parquet"
            whole.shard(shards, n).to_parquet(path)
            files[f"data/{path.name}"] = Blob(path.read_bytes(), lfs=True)
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


SHARDS = """
import json
from pipeline.sources import parts, read
specs = ["hub:user/days#3/3", "hub:user/days#0/9", "hub:user/days:no-such#0/3"]
errors = []
for spec in specs:
    try:
        next(read(spec))
    except Exception as error:
        errors.append(str(error))
text = lambda spec: [row.values["text"] for row in read(spec)]
print(json.dumps({
    "parts": parts("user/days"), "test": parts("hub:user/days", "test"), "part": parts("hub:user/days#1/3"),
    "whole": text("user/days"), "shards": [text(part) for part in parts("user/days")],
    "rows": [(row.place, row.values["label"]) for row in read("hub:user/days#1/3")], "errors": errors,
}))
"""


def test_the_shards_of_a_data_set_are_its_rows(tmp_path: Path) -> None:
    with hub_server() as hub:
        hub.datasets["user/days"] = _data_set(tmp_path, shards=3)
        done = subprocess.run(
            [sys.executable, "-c", SHARDS],
            cwd=ROOT, env={**os.environ, **hub.environment(tmp_path / "home")}, capture_output=True, text=True,
            check=False, timeout=200,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["parts"] == found["test"] == [f"hub:user/days#{n}/3" for n in range(3)]
    assert found["part"] == ["hub:user/days#1/3"]
    assert [len(shard) for shard in found["shards"]] == [14, 13, 13]
    assert [text for shard in found["shards"] for text in shard] == found["whole"]
    assert found["rows"][0] == ["hub:user/days train shard 1/3 row 1", "sad"]
    name, number, missing = found["errors"]
    assert "no name of a Hub data set" in name and "has 3 shards and not 9" in number and "no-such" in missing
