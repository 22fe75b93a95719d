"""Models of a run by lm-eval: its numbers are the model's own likelihoods, and they reach table, page and card."""

from __future__ import annotations

import dataclasses
import json
import math
import socket
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from pipeline.artifacts import Artifact, read_json_lines, write_json
from pipeline.cli import main
from pipeline.errors import GroundupError
from pipeline.evaluate.split import is_held_out
from pipeline.inference.harness import measure_outside
from pipeline.inference.yardsticks import YARDSTICKS, write_yardsticks
from pipeline.publish.card import model_card
from pipeline.recipe_files import load_recipe
from pipeline.report.page import write_report
from pipeline.report.yardsticks import guesses
from pipeline.sources.factbook import read_factbook
from pipeline.stages import Run, _finish
from tests.publish.finished_run import save, write_run
from tests.tasks.bases import publish

Capsys = pytest.CaptureFixture[str]
FILMS = ["The film was", "A story of two towns. The story was", "Bad towns, good film: the film", "Of two"]
CHOICES = ["good", "bad.", "a story of towns", "two films"]
TASK = """
task: TASKNAME
dataset_path: json
dataset_kwargs:
  data_files:
    test: ROWS
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_target: right
doc_to_choice: "{{choices}}"
metric_list:
  - metric: acc
  - metric: acc_norm
"""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is called, whatever the switches say."""

    def refuse(*arguments: Any) -> None:
        raise AssertionError(f"a connection to {arguments[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run: a pre-trained model, a classifier, a model that chats."""
    run = write_run(load_recipe(str(tiny)), tmp_path_factory.mktemp("harness"))
    chat = dataclasses.replace(
        run.stages()["finetune/chat"],
        work=lambda out: save(out, "AutoModelForCausalLM", {"model": {"loss": 1.0}}),
    )
    _finish(run, chat)
    return run


def write_suite(directory: Path, name: str = "films") -> list[dict[str, Any]]:
    """A person's own task, with its rows."""
    rows = [
        {"question": f"{film} {n}", "choices": CHOICES[: 2 + n % 3], "right": n % 2}
        for n, film in enumerate(FILMS * 5)
    ]
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = TASK.replace("TASKNAME", name).replace("ROWS", str(file))
    (directory / f"{name}.yaml").write_text(task)
    return rows


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Its directory and its rows."""
    directory = tmp_path_factory.mktemp("my_tasks")
    return directory, write_suite(directory)


def _where(tiny: Path, run: Run) -> list[str]:
    return ["harness", "--recipe", str(tiny), "--runs", str(run.runs)]


def _likelihoods(path: Path, rows: list[dict[str, Any]]) -> Iterator[list[float]]:
    """Of each row's choices, by one forward pass each, without padding or a cache."""
    model = AutoModelForCausalLM.from_pretrained(path, dtype="float32").eval()
    tokenizer = AutoTokenizer.from_pretrained(path)
    for row in rows:
        found = []
        for choice in row["choices"]:
            read = len(tokenizer(row["question"])["input_ids"])
            ids = torch.tensor(tokenizer(f"{row['question']} {choice}")["input_ids"])
            with torch.no_grad():
                logs = model(ids[None]).logits[0].log_softmax(-1)
            found.append(sum(float(logs[i - 1, ids[i]]) for i in range(read, len(ids))))
        yield found


def test_numbers_are_those_of_the_model_s_likelihoods(
    tiny: Path, run: Run, suite: tuple[Path, list[dict[str, Any]]], capsys: Capsys
) -> None:
    directory, rows = suite
    assert main([*_where(tiny, run), "--suite", str(directory)]) == 0
    said = capsys.readouterr().out
    told = run.artifact("harness/pretrain").metrics()
    likelihoods = list(_likelihoods(run.artifact("pretrain").path, rows))
    right, right_by_length = [], []
    for row, found in zip(rows, likelihoods, strict=True):
        by_length = [value / len(choice) for value, choice in zip(found, row["choices"], strict=True)]
        right.append(float(found.index(max(found)) == row["right"]))
        right_by_length.append(float(by_length.index(max(by_length)) == row["right"]))
    assert set(told) == {"films"} and 0 < sum(right) < len(rows)
    wanted = {
        "acc": statistics.mean(right),
        "acc_stderr": statistics.stdev(right) / math.sqrt(len(rows)),
        "acc_norm": statistics.mean(right_by_length),
        "acc_norm_stderr": statistics.stdev(right_by_length) / math.sqrt(len(rows)),
        "chance": statistics.mean(1 / len(row["choices"]) for row in rows),
        "examples": len(rows),
    }
    assert told["films"] == pytest.approx(wanted)
    predictions = read_json_lines(run.artifact("harness/pretrain").path / "predictions.jsonl")
    for one, found in zip(predictions, likelihoods, strict=True):
        assert [value for value, _ in one["said"]] == pytest.approx(found, abs=1e-4)
    assert "films" in said and f"{wanted['acc']:.3f}" in said


def test_a_finetuned_model_and_the_first_rows(
    tiny: Path, run: Run, suite: tuple[Path, list[dict[str, Any]]]
) -> None:
    where = [*_where(tiny, run), "--task", "chat", "--suite", str(suite[0]), "--limit", "3"]
    assert main(where) == 0
    told = run.artifact("harness/finetune/chat")
    assert told.metrics()["films"]["examples"] == 3
    manifest = told.manifest()
    assert manifest["complete"] and manifest["versions"]["lm_eval"]
    assert manifest["inputs"] == {"finetune/chat": run.artifact("finetune/chat").fingerprint()}
    assert manifest["settings"]["harness"]["limit"] == 3
    before = manifest["fingerprint"]
    assert main([*where[:-1], "4"]) == 0 and told.manifest()["fingerprint"] != before
    assert main(where) == 0 and told.manifest()["fingerprint"] == before


def test_all_are_those_that_are_finished_and_write(
    tiny: Path, run: Run, suite: tuple[Path, list[dict[str, Any]]], capsys: Capsys
) -> None:
    assert main([*_where(tiny, run), "--task", "all", "--suite", str(suite[0]), "--limit", "2"]) == 0
    said = capsys.readouterr().out
    assert "harness/finetune/chat, by lm-eval" in said and "writes no text" in said
    assert "summarization: there is no finished model" in said


def test_an_encoder_decoder_reads_the_question_and_writes_the_choices(
    run: Run, suite: tuple[Path, list[dict[str, Any]]]
) -> None:
    def t5(out: Artifact) -> dict[str, dict[str, float]]:
        publish("t5", out.path)
        return {"model": {"rougeL": 0.5}}

    _finish(run, dataclasses.replace(run.stages()["finetune/translation"], work=t5))
    directory, rows = suite
    told = read_json_lines(measure_outside(run, "translation", [str(directory)]).path / "predictions.jsonl")
    path = run.artifact("finetune/translation").path
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(path).eval(), AutoTokenizer.from_pretrained(path)
    for row, one in zip(rows, told, strict=True):
        ids = tokenizer(row["question"], return_tensors="pt")["input_ids"]
        for choice, (value, _) in zip(row["choices"], one["said"], strict=True):
            written = tokenizer(f" {choice}", return_tensors="pt", add_special_tokens=False)["input_ids"]
            with torch.no_grad():
                logs = model(input_ids=ids, labels=written).logits[0].log_softmax(-1)
            assert value == pytest.approx(float(logs.gather(1, written[0][:, None]).sum()), abs=1e-4)


def test_our_own_tasks_hold_only_what_was_held_out(tmp_path: Path) -> None:
    countries = {row.group for row in read_factbook()}
    assert write_yardsticks([], tmp_path, 0.05, 3) == list(YARDSTICKS)
    rows = read_json_lines(tmp_path / "factbook_cloze.jsonl")
    named = {row["query"].partition(": ")[0] for row in rows}
    assert named <= {country for country in countries if is_held_out(country, 0.05, 3)} and len(named) > 4
    assert all(len(set(row["choices"])) == 4 for row in rows)
    places = [row["answer"] for row in rows]
    assert all(places.count(place) > len(rows) / 8 for place in range(4))
    capitals = {
        r["query"].partition(":")[0]: r["choices"][r["answer"]]
        for r in rows
        if "Capital > name" in r["query"]
    }
    told = {
        row.group: row.values["text"] for row in read_factbook() if row.values["field"] == "Capital > name"
    }
    assert capitals and all(told[country].startswith(capital) for country, capital in capitals.items())
    sentences = read_json_lines(tmp_path / "film_sentences.jsonl")
    assert {row["answer"] for row in sentences} == {0, 1}
    with pytest.raises(GroundupError, match="too little is held out"):
        write_yardsticks(["factbook_cloze"], tmp_path, 0.0, 3)


def test_without_a_suite_our_own_are_measured_by_the_seed_of_the_model(tiny: Path, run: Run) -> None:
    artifact = measure_outside(
        Run(dataclasses.replace(run.recipe, seed=9, held_out=0.5), run.runs), "", limit=4
    )
    told = artifact.metrics()
    assert set(told) == set(YARDSTICKS) and told["factbook_cloze"]["chance"] == 0.25
    assert told["film_reviews"]["bits_per_byte"] == pytest.approx(
        math.log2(told["film_reviews"]["byte_perplexity"])
    )
    named = {
        one["query"].partition(":")[0]
        for one in read_json_lines(run.path / "harness/yardsticks/factbook_cloze.jsonl")
    }
    assert all(is_held_out(country, 0.1, 0) for country in named)


def test_results_stand_on_the_page_and_in_the_card(
    tiny: Path, run: Run, suite: tuple[Path, list[dict[str, Any]]]
) -> None:
    artifact = measure_outside(run, "", [str(suite[0])])
    row, version = artifact.metrics()["films"], artifact.manifest()["versions"]["lm_eval"]
    page = write_report(run).read_text()
    assert 'id="outside"' in page and ">films<" in page and f">{row['acc']:.3f}<" in page
    assert f"lm-evaluation-harness {version}" in page and "harness/pretrain" in page
    card = model_card(run, "pretrain", "user/base")
    assert "### Outside yardsticks" in card and f"| films | {row['acc']:.4g} |" in card
    results = [one for one in ModelCard(card).data.eval_results or [] if one.dataset_type == "films"]
    assert {one.metric_type: one.metric_value for one in results} == {n: row[n] for n in ("acc", "acc_norm")}
    assert "Outside yardsticks" not in model_card(run, "finetune/sentiment", "user/films")

    pretrain = run.artifact("pretrain")
    before = pretrain.manifest()
    write_json(pretrain.path / "manifest.json", {**before, "fingerprint": "another"})
    try:
        assert "Outside yardsticks" not in model_card(run, "pretrain", "user/base")
        assert "harness/pretrain was made from an earlier pretrain" in write_report(run).read_text()
    finally:
        write_json(pretrain.path / "manifest.json", before)


def test_what_cannot_be_measured_is_one_sentence(
    tiny: Path, run: Run, tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: str | Path) -> str:
        assert main([*_where(tiny, run), *map(str, arguments)]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and said.startswith("groundup: ")
        return said

    assert "AutoModelForSequenceClassification and writes no text" in refused("--task", "sentiment")
    assert "there is no finished model" in refused("--task", "summarization")
    assert "there is no finished model" in refused("--task", "dpo")
    assert "no YAML file in it defines a task" in refused("--suite", tmp_path)
    write_suite(tmp_path)
    (tmp_path / "films.jsonl").unlink()
    assert "lm-eval cannot read this task or its data" in refused("--suite", tmp_path)
    assert "there is neither such a directory nor such a task" in refused("--suite", "no_such_task")
    assert "check the network" in refused("--suite", "arc_easy")
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "lm_eval", None)
        assert "lm-eval is not installed; run make setup" in refused()


def test_what_guessing_gets_is_said() -> None:
    rows = {
        "surely": {"acc": 0.6, "acc_stderr": 0.05, "chance": 0.5},
        "maybe": {"acc": 0.59, "acc_stderr": 0.05, "chance": 0.5},
        "other": {"bits_per_byte": 1.5},
    }
    assert [sentence.split()[1] for sentence in guesses(rows)] == ["maybe"]
