"""The whole chain on the tiny recipe, from the command line, and its artefacts in plain transformers."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import ROOT, Groundup

TASKS = {
    "sentiment": {"accuracy", "macro_f1"},
    "translation": {"bleu", "chrf", "placeholders_kept"},
    "qa": {"exact_match", "f1"},
    "summarization": {"rouge1", "rouge2", "rougeL"},
    "chat": {"loss", "perplexity"},
}


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


@pytest.fixture
def run(whole_run: Path) -> Path:
    return whole_run / "tiny"


def test_every_stage_is_complete(run: Path) -> None:
    for stage in ("corpus", "tokenizer", "pretrain", *(f"finetune/{task}" for task in TASKS)):
        manifest = _json(run / stage / "manifest.json")
        assert manifest["complete"] and manifest["stage"] == stage
        assert {"versions", "hardware", "settings", "fingerprint", "timings", "seed", "git_commit"} <= set(
            manifest
        )
        assert not (run / stage / "checkpoints").exists()


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_measured_beside_its_rivals(run: Path, task: str) -> None:
    metrics = _json(run / "finetune" / task / "metrics.json")
    assert {"model", "from_scratch"} < set(metrics)
    for row in metrics.values():
        assert set(row) >= TASKS[task]
        assert all(isinstance(value, int | float) for value in row.values())
    predictions = (run / "finetune" / task / "predictions.jsonl").read_text("utf-8").splitlines()
    assert len(predictions) == metrics["model"]["examples"]
    assert "place" in json.loads(predictions[0])


def test_pretraining_is_measured_in_bits_per_byte(run: Path) -> None:
    metrics = _json(run / "pretrain" / "metrics.json")
    assert all(0 < metrics[row]["bits_per_byte"] < 12 for row in ("model", "unigram", "xz"))
    steps = [
        entry["step"] for entry in map(json.loads, (run / "pretrain" / "log.jsonl").open()) if "loss" in entry
    ]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_artefacts_load_where_groundup_is_not_imported(run: Path) -> None:
    code = f"""
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline
model = AutoModelForCausalLM.from_pretrained(r"{run}/pretrain")
tokenizer = AutoTokenizer.from_pretrained(r"{run}/pretrain")
ids = tokenizer("The film", return_tensors="pt")
assert model.generate(**ids, max_new_tokens=4).shape[1] > ids["input_ids"].shape[1]
text = "Ünïcode 中文 🎬 tabs\\t and   spaces\\n"
assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
said = pipeline("text-classification", model=r"{run}/finetune/sentiment")("The film was moving.")
assert said[0]["label"] in ("negative", "positive"), said
chat = AutoTokenizer.from_pretrained(r"{run}/finetune/chat")
assert "Hello" in chat.apply_chat_template([{{"role": "user", "content": "Hello"}}], tokenize=False)
assert "pipeline.cli" not in sys.modules and "groundup" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_spans_lie_in_their_context(run: Path) -> None:
    for line in (run / "finetune" / "qa" / "predictions.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        assert row["context"][row["start"] : row["end"]] == row["prediction"]


def test_nothing_is_in_both_parts_of_the_corpus(run: Path) -> None:
    import pyarrow.parquet

    texts = {
        part: set(pyarrow.parquet.read_table(run / "corpus" / part).column("text").to_pylist())
        for part in ("train", "validation")
    }
    assert texts["train"] and texts["validation"] and not texts["train"] & texts["validation"]


def test_the_report_is_one_page_with_every_task(run: Path) -> None:
    page = (run / "report" / "index.html").read_text("utf-8")
    assert all(task in page for task in TASKS) and "<svg" in page


def test_a_second_run_does_nothing(groundup: Groundup, tiny: Path, whole_run: Path) -> None:
    before = (whole_run / "tiny" / "pretrain" / "manifest.json").read_text()
    done = groundup("pretrain", "--recipe", tiny, "--runs", whole_run)
    assert done.returncode == 0 and done.stdout.count("nothing to do") == 3
    assert (whole_run / "tiny" / "pretrain" / "manifest.json").read_text() == before


def test_a_changed_setting_redoes_its_stage_and_no_earlier_one(
    groundup: Groundup, tiny: Path, whole_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole_run / "tiny", tmp_path / "tiny")
    done = groundup(
        "pretrain", "--recipe", tiny, "--runs", tmp_path, "--pretrain.steps", "2", "--pretrain.log-every", "2"
    )
    assert done.returncode == 0, done.stderr
    assert "corpus: done before" in done.stdout and "tokenizer: done before" in done.stdout
    assert _json(tmp_path / "tiny" / "pretrain" / "metrics.json")["model"]["steps"] == 2


def test_own_data_and_a_published_start(
    groundup: Groundup, tiny: Path, whole_run: Path, tmp_path: Path
) -> None:
    rows = [
        f"{text},{stars}" for n in range(40) for text, stars in ((f"good day {n}", 5), (f"bad day {n}", 1))
    ]
    (tmp_path / "my.csv").write_text("review,stars\n" + "\n".join(rows), "utf-8")
    done = groundup(
        "finetune", "--task", "sentiment", "--data", tmp_path / "my.csv", "--text-column", "review",
        "--label-column", "stars", "--finetune.label-names", "--model", whole_run / "tiny" / "pretrain",
        "--recipe", tiny, "--runs", tmp_path / "runs",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    config = _json(tmp_path / "runs" / "tiny" / "finetune" / "sentiment" / "config.json")
    assert config["label2id"] == {"1": 0, "5": 1}
    assert not (tmp_path / "runs" / "tiny" / "corpus").exists()


def test_an_interrupted_run_saves_and_ends_where_an_uninterrupted_one_does(
    groundup: Groundup, tiny: Path, whole_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(
        whole_run / "tiny", tmp_path / "tiny", ignore=shutil.ignore_patterns("pretrain", "finetune")
    )
    arguments = ["pretrain", "--recipe", str(tiny), "--runs", str(tmp_path)]
    first = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = tmp_path / "tiny" / "pretrain" / "log.jsonl"
    while first.poll() is None and not (log.is_file() and log.stat().st_size):
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    said = first.communicate(timeout=120)[1]
    if first.returncode == 0:
        pytest.fail("the run ended before it could be interrupted")
    assert first.returncode == 130 and "the same command goes on" in said
    assert not _json(tmp_path / "tiny" / "pretrain" / "manifest.json")["complete"]
    second = groundup(*arguments)
    assert second.returncode == 0 and "goes on where it was cut off" in second.stdout, second.stderr
    weights = [
        (runs / "tiny" / "pretrain" / "model.safetensors").read_bytes() for runs in (whole_run, tmp_path)
    ]
    assert weights[0] == weights[1]
    steps = [entry["step"] for entry in map(json.loads, log.open()) if "loss" in entry]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_measuring_again_gives_the_same_numbers(groundup: Groundup, tiny: Path, whole_run: Path) -> None:
    done = groundup("evaluate", "--recipe", tiny, "--runs", whole_run)
    assert done.returncode == 0, done.stderr
    now = _json(whole_run / "tiny" / "evaluation.json")
    then = _json(whole_run / "tiny" / "finetune" / "qa" / "metrics.json")["model"]
    assert now["finetune/qa"]["f1"] == pytest.approx(then["f1"], abs=1e-6)
    loss = _json(whole_run / "tiny" / "pretrain" / "metrics.json")["model"]["loss"]
    assert now["pretrain"]["loss"] == pytest.approx(loss, abs=0.02)


def test_chat_answers_lines_from_a_pipe(tiny: Path, whole_run: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "chat", "--recipe", tiny, "--runs", whole_run],
        cwd=ROOT, input="Did you like the film?\n/reset\n/quit\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.strip(), done.stderr
