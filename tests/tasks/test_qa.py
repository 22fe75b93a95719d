"""Extractive question answering with real models: candidates, probabilities, and what is saved for others."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.artifacts import Artifact, read_json_lines
from pipeline.evaluate.squad import LONGEST_ANSWER
from pipeline.evaluate.squad import main as squad_script
from pipeline.model.published import load_model, load_tokenizer
from pipeline.recipe import Finetune
from pipeline.sources import Row
from pipeline.tasks import task_named
from pipeline.tasks.base import Example
from pipeline.tasks.candidates import candidates
from pipeline.tasks.windows import windows_of
from pipeline.train.finetune import finetune
from tests.tasks.answering_models import questions, write_bert, write_llama, write_questions

Write = Callable[[Path], str]
STARTS = pytest.mark.parametrize("write", [write_llama, write_bert], ids=["llama", "bert"])


def _examples(count: int) -> list[Example]:
    rows = [Row(values, values["id"]) for values in questions(count)]
    return list(task_named("qa", Finetune()).examples(rows))


@STARTS
def test_the_best_candidates_are_the_best_of_all_spans(write: Write, tmp_path: Path) -> None:
    start = write(tmp_path)
    model, tokenizer = load_model(start, "AutoModelForQuestionAnswering").eval(), load_tokenizer(start)
    asked = [e.fields for e in _examples(9)]
    windows = [windows_of(q["question"], q["context"], tokenizer, model.config, 48) for q in asked]
    assert {len(w) for w in windows} != {1}
    found = candidates(model, tokenizer, windows, batch_tokens=300)
    for question, said in zip(windows, found, strict=True):
        best: dict[tuple[int, int], float] = {}
        nothing = []
        for window in question:
            with torch.no_grad():
                output = model(**{name: torch.tensor([ids]) for name, ids in window.features().items()})
            starts, ends = output.start_logits[0].tolist(), output.end_logits[0].tolist()
            nothing.append(starts[window.nothing] + ends[window.nothing])
            pairs = list(zip(window.places, window.spans, strict=True))
            for (i, (p, (a, _))), (j, (q, (_, b))) in itertools.product(enumerate(pairs), repeat=2):
                if i <= j < i + LONGEST_ANSWER:
                    best[a, b] = max(best.get((a, b), -math.inf), starts[p] + ends[q])
        wanted = sorted(best.values(), reverse=True)[:20]
        assert said.scores == pytest.approx(wanted, abs=1e-4) and len(set(said.spans)) == len(said.spans)
        assert [best[span] for span in said.spans] == pytest.approx(said.scores, abs=1e-4)
        assert said.nothing == pytest.approx(min(nothing), abs=1e-4)


@pytest.fixture(scope="module", params=[write_llama, write_bert], ids=["llama", "bert"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short fine-tuning, some of its contexts longer than a window."""
    place = tmp_path_factory.mktemp("qa")
    settings = Finetune(
        data=write_questions(place / "questions.json", 260),
        max_tokens=64,
        steps=60,
        global_batch=16,
        micro_batch=16,
        learning_rate=3e-3,
        from_scratch=False,
        precision="float32",
        compile="no",
        n_best=3,
    )
    start, out = request.param(place / "start"), Artifact(place / "out")
    out.path.mkdir()
    metrics = finetune("qa", settings, start, held_out=0.2, seed=0, out=out)
    assert metrics["model"]["f1"] > metrics["first_sentence"]["f1"]
    assert 0 <= metrics["model"]["ece"] < 0.5 and "ece" not in metrics["first_sentence"]
    return out.path


def test_the_cards_code_says_what_we_say(made: Path) -> None:
    code = task_named("qa", Finetune()).usage.replace("REPO", str(made))
    rows = list(read_json_lines(made / "predictions.jsonl"))
    assert len(rows) >= 50 and {bool(row["prediction"]) for row in rows} == {True, False}
    compiled = re.sub(r"^question, context = .*$", "", code, count=1, flags=re.MULTILINE)
    assert compiled != code
    for row in rows:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compiled, {"question": row["question"], "context": row["context"]})
        assert said.getvalue().removesuffix("\n") == row["prediction"], row


def test_the_best_answers_are_written_with_their_probabilities(made: Path) -> None:
    for row in read_json_lines(made / "predictions.jsonl"):
        best = row["n_best"]
        shares = [entry["probability"] for entry in best]
        assert len(best) == 4 and sum(entry["text"] == "" for entry in best) == 1
        assert shares == sorted(shares, reverse=True) and sum(shares) <= 1.00001
        assert (best[0]["text"], best[0]["probability"]) == (row["prediction"], row["probability"])
        assert all(row["context"][e["start"] : e["end"]] == e["text"] for e in best)


def test_what_is_written_for_squads_script(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = list(read_json_lines(made / "predictions.jsonl"))
    asked = [{"id": r["id"], "answers": [{"text": t} for t in r["answers"]]} for r in rows]
    (tmp_path / "data.json").write_text(json.dumps({"data": [{"paragraphs": [{"qas": asked}]}]}))
    squad_script([str(tmp_path / "data.json"), str(made / "predictions.json")])
    script = json.loads(capsys.readouterr().out)
    details = json.loads((made / "details.json").read_text())["model"]
    metrics = {
        **details["squad_script"],
        **{name: details["squad_script"][name] for name in ("best_f1", "best_exact")},
    }
    assert details["squad_script"]["version"] == "2.0"
    assert all(metrics[name] == value for name, value in script.items())
    assert metrics["best_f1"] >= script["f1"] - 5
    best = json.loads((made / "nbest_predictions.json").read_text())
    odds = json.loads((made / "na_probs.json").read_text())
    assert {r["id"] for r in rows} == set(best) == set(odds)
    assert all(odds[r["id"]] == r["no_answer_probability"] for r in rows)


def test_a_start_with_other_labels(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    start = write_bert(tmp_path)
    AutoModelForSequenceClassification.from_pretrained(start, num_labels=5).save_pretrained(start)
    config = task_named("qa", Finetune()).model_config([])
    model: Any = load_model(start, "AutoModelForQuestionAnswering", **config)
    assert model.qa_outputs.out_features == 2


def test_transformers_has_no_pipeline_to_compare_with(made: Path) -> None:
    from transformers import pipeline

    with pytest.raises((KeyError, ValueError, RuntimeError), match="question-answering"):
        pipeline("question-answering", model=str(made))
