"""The steps of the tutorials, each word of them, with settings added that make them small.

Files that a page names are written as they stand there; its ``sh`` blocks are run in order. The language model that
they start from is that of the whole tiny run. In the place of the Chinese reviews, which ``make setup`` does not
install, stand some of this file. Two processes are forked and not started by Accelerate's launcher, which
``tests/train/test_processes.py`` does. What stands on the pages outside of ``sh`` blocks, since it needs GPUs, a
cluster, the Hub or the reader's own files, is read only: ``test_commands.py``.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.docs.desk import Reader

NO_TRAINING = ("report", "publish", "chat")
DIAL = (
    *("--corpus.megabytes", "0.1", "--tokenizer.vocabulary", "400", "--model.width", "64", "--model.context", "64"),
    *("--pretrain.steps", "4", "--pretrain.global-batch", "4", "--pretrain.micro-batch", "2"),
    *("--pretrain.evaluate-every", "2", "--pretrain.evaluation-tokens", "500", "--pretrain.precision", "float32"),
)  # fmt: skip
TASK = (
    ("steps", "4"),
    ("global-batch", "4"),
    ("micro-batch", "4"),
    ("max-tokens", "64"),
    ("max-new-tokens", "8"),
)


def _task(name: str) -> list[str]:
    return [word for setting, value in TASK for word in (f"--tasks.{name}.{setting}", value)]


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


@pytest.fixture
def desk(tmp_path: Path, whole_run: Path) -> Path:
    """A directory in which ``make pretrain`` was done, by the tiny recipe."""
    shutil.copytree(whole_run / "tiny" / "pretrain", tmp_path / "runs" / "quickstart" / "pretrain")
    return tmp_path


def test_own_data(desk: Path, tiny: Path) -> None:
    quickstart: list[str | Path] = ["--recipe", tiny, "--name", "quickstart"]
    smaller: dict[str, Sequence[str | Path]] = {
        **dict.fromkeys(("report", "publish"), quickstart),
        "finetune": [*quickstart, "--finetune.label-names"],
        **dict.fromkeys(("plan", "pretrain"), DIAL),
        "chat": (),
    }
    said = Reader(desk, smaller).follow("own-data")
    classifier = desk / "runs" / "messages" / "quickstart" / "finetune" / "sentiment"
    assert set(_json(classifier / "config.json")["label2id"]) == {
        "da",
        "de",
        "es",
        "fr",
        "it",
        "nl",
        "pt",
        "sv",
    }
    assert {"model", "from_scratch", "majority_class"} < set(_json(classifier / "metrics.json"))
    assert (desk / "runs" / "messages" / "quickstart" / "report" / "index.html").is_file()
    assert said.count("'label': '") == 3 and "files for you/languages" in said
    assert "are in order" in said and _json(desk / "runs" / "dial" / "pretrain" / "manifest.json")["complete"]


def test_the_recipe_of_own_data_trains(desk: Path) -> None:
    reader = Reader(desk, {"run": _task("sentiment")})
    reader.write_files("own-data")
    reader.line("python messages.py")
    assert "majority_class" in reader.line("groundup run --recipe languages.py")
    assert (desk / "runs" / "languages" / "finetune" / "sentiment" / "model.safetensors").is_file()


def test_more_gpus(tmp_path: Path) -> None:
    Reader(tmp_path, {"pretrain": DIAL}).follow("more-gpus")
    losses = [
        [line["eval_loss"] for line in map(json.loads, log.open()) if "eval_loss" in line]
        for log in (tmp_path / "runs" / kind / "dial" / "pretrain" / "log.jsonl" for kind in ("one", "two"))
    ]
    assert len(losses[0]) == 2 and losses[0] == pytest.approx(losses[1], abs=1e-3)
    assert _json(tmp_path / "runs" / "two" / "dial" / "pretrain" / "manifest.json")["processes"] == 2


def test_adding_a_task(desk: Path) -> None:
    said = Reader(desk, {"finetune": _task("dates"), **dict.fromkeys(NO_TRAINING, ())}).follow(
        "adding-a-task"
    )
    metrics = _json(desk / "runs" / "dates" / "finetune" / "dates" / "metrics.json")
    assert {"model", "from_scratch", "commonest", "dateutil"} == set(metrics)
    assert metrics["commonest"]["exact_match"] < 0.1 < metrics["dateutil"]["exact_match"] < 1
    assert metrics["dateutil"]["year_right"] >= metrics["dateutil"]["exact_match"]
    assert "the third of March 1987" in said and "AutoModelForCausalLM" in said


def test_chinese(tmp_path: Path) -> None:
    reviews = [
        f"{thing}{place}{word}，第{number}次来。" * 2
        for number, (thing, place, word) in enumerate(
            itertools.product(("房间", "这本书", "早餐", "服务", "电池"), ("在上海", "在北京", "在广州", "在成都"),
                              ("很好", "很差", "不错", "太旧", "干净", "太贵"))
        )
    ]  # fmt: skip
    rows = [
        {"text": text, "label": ("positive", "negative")[number % 2]} for number, text in enumerate(reviews)
    ]
    (tmp_path / "reviews.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    run = [
        *DIAL,
        *_task("sentiment"),
        "--corpus.sources",
        "reviews.jsonl",
        "--tasks.sentiment.data",
        "reviews.jsonl",
    ]
    run += ["--corpus.near-duplicates", "0", "--corpus.repeated-passages", "0", "--corpus.boilerplate", "0"]
    said = Reader(tmp_path, {"run": run, **dict.fromkeys(NO_TRAINING, ())}).follow("chinese")
    assert {"model", "from_scratch"} < set(_json(tmp_path / "runs/chinese/finetune/sentiment/metrics.json"))
    assert "房间很干净，服务也很好。 [{'label'" in said and "language: zh\n" in said
