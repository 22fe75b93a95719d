"""Answering in words: prompts that always fit, baselines worked out by hand, and the model that is saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from transformers import pipeline

from pipeline.artifacts import Artifact, read_json_lines
from pipeline.cli import main
from pipeline.errors import GroundupError
from pipeline.model.published import load_tokenizer
from pipeline.recipe import Finetune
from pipeline.sources import Row
from pipeline.tasks import task_named
from pipeline.tasks.answering import NO_ANSWER, Answering
from pipeline.tasks.base import IGNORED, Example
from pipeline.train.finetune import finetune
from tests.tasks.answering_models import write_llama, write_questions


def _examples(*rows: dict[str, Any], **options: Any) -> list[Example]:
    task = task_named("answering", Finetune(**options))
    return list(task.examples(Row(values, f"row {number}") for number, values in enumerate(rows, start=1)))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_tokenizer(write_llama(tmp_path_factory.mktemp("start")))


@pytest.mark.parametrize(
    ("row", "context", "answers"),
    [
        ({"context": "In Oslo.", "answers": [{"text": "Oslo", "answer_start": 3}]}, "In Oslo.", ["Oslo"]),
        ({"context": "In Oslo.", "answers": {"text": [], "answer_start": []}}, "In Oslo.", []),
        ({"context": " ", "answers": ["Oslo", "Christiania"]}, "", ["Oslo", "Christiania"]),
        ({"answer": "Oslo"}, "", ["Oslo"]),
        ({"answer": {"value": "Oslo", "aliases": ["Oslo", "Kristiania"]}}, "", ["Oslo", "Kristiania"]),
        ({"answers": [], "is_impossible": True, "plausible_answers": []}, "", []),
        ({"reply": 7}, "", ["7"]),
    ],
)
def test_rows_in_every_form(row: dict[str, Any], context: str, answers: list[str]) -> None:
    (example,) = _examples({"question": "Where?", "id": 3, **row}, label_column="reply")
    assert example.fields == {"question": "Where?", "context": context, "answers": answers, "id": "3"}


def test_a_row_without_an_answer_is_refused() -> None:
    with pytest.raises(GroundupError, match="row 1: there is no column 'label'"):
        _examples({"question": "Where?"})


@pytest.mark.parametrize("task", ["qa", "answering"])
@pytest.mark.parametrize("name", ["question", "context", "answers"])
def test_half_a_surrogate_pair_is_refused(task: str, name: str) -> None:
    row = {"question": "Where?", "context": "In Oslo.", "answers": "Oslo", name: "In Oslo\ud83d"}
    rows = [Row(row, "row 1")]
    with pytest.raises(GroundupError, match=r"row 1: character 8 is U\+D83D, half a surrogate pair"):
        list(task_named(task, Finetune()).examples(rows))


def test_the_loss_is_on_the_answer_alone(tokenizer: Any) -> None:
    task: Any = task_named("answering", Finetune(max_tokens=128))
    for answers, said in ((["Oslo", "Rome"], " Oslo"), ([], f" {NO_ANSWER}")):
        fields = {"question": "Where is it?", "context": "The fjord is in Oslo.", "answers": answers}
        features = task.encode(fields, tokenizer, None)
        (ids,), (labels,) = features["input_ids"], features["labels"]
        told = [label for label in labels if label != IGNORED]
        assert told[-1] == tokenizer.eos_token_id and tokenizer.decode(told[:-1]) == said
        prompt = tokenizer.decode(ids[: len(ids) - len(told)])
        assert prompt == "The fjord is in Oslo.\n\nQuestion: Where is it?\nAnswer:"
    closed = task.prompt({"question": "Where is it?", "context": ""}, tokenizer)
    assert closed == "Question: Where is it?\nAnswer:"


WORDS = some.lists(some.sampled_from(["Oslo", "fjord", "北京", "🎬", "\n", "Question:", "é"]), max_size=60)


@settings(deadline=None, max_examples=60)
@given(context=WORDS.map(" ".join), question=WORDS.map(" ".join), most=some.integers(40, 100))
def test_prompts_fit(tokenizer: Any, context: str, question: str, most: int) -> None:
    task = Answering(Finetune(max_tokens=most, max_new_tokens=16))
    prompt = task.prompt({"question": question, "context": context}, tokenizer)
    room, size = most - 16, len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    assert size <= room and prompt.endswith("\nAnswer:")
    whole = f"{context}\n\nQuestion: {question}\nAnswer:" if context else f"Question: {question}\nAnswer:"
    if len(tokenizer(whole, add_special_tokens=False)["input_ids"]) <= room:
        assert prompt == whole
    elif context and prompt.startswith("Question: " + question):
        assert prompt == f"Question: {question}\nAnswer:"
    elif f"Question: {question}\n" in prompt:
        assert size > room - 12, "no more is cut than must be"


def test_baselines_by_hand() -> None:
    rows: list[dict[str, Any]] = [
        {"question": "What is the capital of Norway?", "answer": "Oslo"},
        {"question": "What is the capital of Peru?", "answer": "Lima"},
        {"question": "Which town has the harbour of Norway?", "answer": "Oslo"},
        {"question": "Who knows?", "answers": []},
    ]
    asked = _examples(
        {"question": "Norway's capital?", "answer": "Oslo"},
        {"question": "and of Peru?", "answer": "Lima", "context": "It rains. The capital of Peru is Lima."},
    )
    task = task_named("answering", Finetune())
    said = {
        name: [p["prediction"] for p in found]
        for name, found in task.baselines(_examples(*rows), asked).items()
    }
    assert said == {
        "commonest_answer": ["Oslo", "Oslo"],
        "likest_question": ["Oslo", "Lima"],
        "likest_sentence": ["", "The capital of Peru is Lima."],
    }
    assert "likest_sentence" not in task.baselines(_examples(*rows), asked[:1])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("answering")
    options = Finetune(
        data=write_questions(place / "questions.json", 260),
        max_tokens=200,
        max_new_tokens=12,
        steps=60,
        global_batch=16,
        micro_batch=16,
        learning_rate=5e-3,
        from_scratch=False,
        precision="float32",
        compile="no",
    )
    out = Artifact(place / "out")
    out.path.mkdir()
    metrics = finetune("answering", options, write_llama(place / "start"), held_out=0.2, seed=0, out=out)
    assert {"exact_match", "f1"} <= set(metrics["model"]) and "likest_sentence" in metrics
    assert metrics["model"]["f1"] > 0.2
    return out.path


def test_transformers_pipeline_says_what_we_say(made: Path) -> None:
    rows = list(read_json_lines(made / "predictions.jsonl"))
    answer = pipeline("text-generation", model=str(made), device="cpu", dtype="float32")
    tokenizer: Any = load_tokenizer(str(made))
    task = Answering(Finetune(max_tokens=tokenizer.model_max_length, max_new_tokens=12))
    prompts = [task.prompt(row, tokenizer) for row in rows]
    options: dict[str, Any] = {"add_special_tokens": False, "do_sample": False, "return_full_text": False}
    said = [found[0]["generated_text"].strip() for found in answer(prompts, **options)]
    assert len(rows) >= 50 and tokenizer.model_max_length == 200
    assert [text.replace(NO_ANSWER, "") for text in said] == [row["prediction"] for row in rows]


def test_what_is_written_beside(made: Path) -> None:
    rows = list(read_json_lines(made / "predictions.jsonl"))
    assert json.loads((made / "predictions.json").read_text()) == {r["id"]: r["prediction"] for r in rows}
    details = json.loads((made / "details.json").read_text())["model"]
    script = details["squad_script"]
    assert script["version"] == "2.0" and script["total"] == len(rows)
    assert details["with_answer"]["examples"] == script["HasAns_total"]
    assert details["contexts_cut"] == 0


def test_a_task_that_the_recipe_does_not_declare(
    tmp_path: Path, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, start = write_questions(tmp_path / "q.json", 60), write_llama(tmp_path / "start")
    call = ["finetune", "--recipe", str(tiny), "--runs", str(tmp_path), "--task", "answering", "--data", data]
    quick = ["--finetune.steps", "2", "--finetune.global-batch", "4", "--finetune.no-from-scratch"]
    assert main([*call, *quick, "--model", start, "--max-tokens", "160"]) == 0
    assert "commonest_answer" in capsys.readouterr().out
    assert (tmp_path / "tiny/finetune/answering/model.safetensors").is_file()
    assert main(["finetune", "--recipe", str(tiny), "--runs", str(tmp_path), "--task", "answring"]) == 2
    assert main(["finetune", "--recipe", str(tiny), "--runs", str(tmp_path), "--task", "answering"]) == 2
