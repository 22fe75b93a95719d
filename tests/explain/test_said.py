"""What every task tells of what its model read, and said: on models of every kind, with random weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.evaluate.said import Said, Wanted, values
from pipeline.explain.asked import Asked
from pipeline.explain.explanation import explain
from pipeline.model.published import load_model, load_tokenizer
from pipeline.recipe import Finetune
from pipeline.tasks import task_named
from tests.tasks.bases import publish

QUICK = Asked(steps=64, orders=3, fractions=4)
LABELS = {
    "id2label": {0: "bad", 1: "good", 2: "odd"},
    "label2id": {"bad": 0, "good": 1, "odd": 2},
    "num_labels": 3,
}


def _loaded(name: str, family: str, place: Path, settings: Finetune, **config: Any) -> tuple[Any, Any, Any]:
    """A task, a model of its class with random weights, and its tokenizer."""
    start, task = publish(family, place), task_named(name, settings)
    tokenizer = load_tokenizer(start)
    task.prepare_tokenizer(tokenizer)
    model = load_model(start, task.class_for(_config(start)), **config)
    return task, model, tokenizer


def _config(start: str) -> Any:
    from pipeline.model.published import load_config

    return load_config(start)


def _said(task: Any, model: Any, tokenizer: Any, texts: Mapping[str, str], wanted: Wanted = Wanted()) -> Said:  # noqa: B008
    return task.said(model, tokenizer, task.asked_by(texts), wanted)


def _read(said: Said) -> list[str]:
    """The characters of each token that is some text's."""
    return [said.reading.texts[p.text][p.start : p.end].strip() for p in said.reading.places if p is not None]


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_a_pair_is_read_as_the_model_reads_it(family: str, tmp_path: Path) -> None:
    settings = Finetune(pair_column="pair", max_tokens=24)
    task, model, tokenizer = _loaded("sentiment", family, tmp_path, settings, **LABELS)
    texts = {"text": "the film was dull", "pair": "the plot was fine"}
    said = _said(task, model, tokenizer, texts)
    assert _read(said) == ["the", "film", "was", "dull", "the", "plot", "was", "fine"]
    (prediction,) = task.predict(model, tokenizer, [task.asked_by(texts)])
    assert said.outcome.name == prediction["prediction"]
    (whole,) = values(model, tokenizer, said.outcome, [said.part(said.movable)], 64)
    assert whole == pytest.approx(prediction["probability"], abs=1e-5)
    without_first = said.part(said.movable[1:])[0]
    assert len(without_first["input_ids"]) == len(said.reading.features["input_ids"]) - 1
    assert len({len(values) for values in without_first.values()}) == 1


@pytest.mark.parametrize("long_texts", ["head-tail", "windows"])
def test_what_is_cut_off_has_no_share_and_the_surest_window_is_explained(
    long_texts: Any, tmp_path: Path
) -> None:
    settings = Finetune(max_tokens=8, long_texts=long_texts)
    task, model, tokenizer = _loaded("sentiment", "bert", tmp_path, settings, **LABELS)
    words = [str(number) for number in range(20)]
    said = _said(task, model, tokenizer, {"text": " ".join(words)}, Wanted("odd"))
    read = _read(said)
    if long_texts == "head-tail":
        assert read == [*words[:3], *words[-3:]]
        return
    assert len(read) <= 6 and " ".join(read) in " ".join(words)
    found = values(model, tokenizer, said.outcome, [said.part(said.movable)], 64)[0]
    for start in range(0, 20, 4):  # windows of six words that overlap by two
        ids = tokenizer(" ".join(words[start : start + 6]), return_tensors="pt")
        with torch.no_grad():
            assert float(model(**ids).logits.softmax(-1)[0, 2]) <= found + 1e-5


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_an_answer_is_explained_where_it_stands(family: str, tmp_path: Path) -> None:
    task, model, tokenizer = _loaded("qa", family, tmp_path, Finetune(max_tokens=16), num_labels=2)
    texts = {"question": "the score", "context": " ".join(str(number) for number in range(30))}
    said = _said(task, model, tokenizer, texts, Wanted("21 22"))
    first, last, end = said.outcome.positions
    places = said.reading.places
    assert (places[first].start, places[last].end) == tuple(  # type: ignore[union-attr]
        texts["context"].index("21 22") + n for n in (0, 5)
    )
    assert end == len(places) - 1 and not {first, last, end} & set(said.movable)
    ids = {name: torch.tensor([list(row)]) for name, row in said.reading.features.items()}
    with torch.no_grad():
        outputs = model(**ids)
    odds = outputs.start_logits.log_softmax(-1)[0, first] + outputs.end_logits.log_softmax(-1)[0, last]
    alone, beside = said.part(said.movable), said.part(said.movable[4:])
    found = values(model, tokenizer, said.outcome, [alone, beside], 64)
    assert found[0] == pytest.approx(float((odds / 2).exp()), abs=1e-5)
    assert found[1] == pytest.approx(values(model, tokenizer, said.outcome, [beside], 64)[0], abs=1e-5)
    nothing = _said(task, model, tokenizer, texts, Wanted("no answer"))
    assert nothing.outcome.name == "no answer" and len(set(nothing.outcome.positions[:2])) == 1


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_what_an_encoder_decoder_writes_is_explained_by_gradients(family: str, tmp_path: Path) -> None:
    settings = Finetune(text_column="en", label_column="fr", max_tokens=16, max_new_tokens=4)
    task, model, tokenizer = _loaded("translation", family, tmp_path, settings)
    found = explain(task, model, tokenizer, {"text": "the film was fine"}, asked=QUICK)
    assert [one.method for one in found.attributions] == ["integrated-gradients"]
    assert found.left_out and "an encoder-decoder has three stacks of attention" in found.left_out[0]
    facts = found.attributions[0].facts
    difference = facts["score"] - facts["baseline_score"]
    assert sum(found.attributions[0].scores) == pytest.approx(difference + facts["gap"], abs=1e-4)
    assert abs(facts["gap"]) < max(0.05 * abs(difference), 1e-3)
    assert [found.texts[w.text][w.start : w.end] for w in found.words][:4] == ["the", "film", "was", "fine"]
    written = explain(task, model, tokenizer, {"text": "the film was fine"}, Wanted("the plot", 2), QUICK)
    ids = tokenizer("the film was fine", return_tensors="pt")
    target = task.writing("the plot", tokenizer)
    fed = torch.tensor([[model.config.decoder_start_token_id, target[0]]])
    with torch.no_grad():
        logits = model(**ids, decoder_input_ids=fed).logits[0, 1]
    assert written.value == pytest.approx(float(logits.softmax(-1)[target[1]]), abs=1e-5)


def test_the_likelihood_of_what_a_causal_model_writes(tmp_path: Path) -> None:
    settings = Finetune(text_column="en", label_column="fr", max_tokens=32, max_new_tokens=4)
    task, model, tokenizer = _loaded("translation", "gpt2", tmp_path, settings)
    said = _said(task, model, tokenizer, {"text": "the film was fine"}, Wanted("the plot was"))
    ids = torch.tensor([said.reading.features["input_ids"]])
    with torch.no_grad():
        likely = model(ids).logits.log_softmax(-1)[0]
    written = ids[0, -3:]
    wanted = sum(float(likely[ids.shape[1] - 4 + n, token]) for n, token in enumerate(written.tolist()))
    kept = [said.part(said.movable), said.part(said.movable[:1]), said.part([])]
    found = values(model, tokenizer, said.outcome, kept, 64)
    assert found[0] == pytest.approx(torch.tensor(wanted / 3).exp().item(), abs=1e-6)
    short = torch.tensor([kept[1][0]["input_ids"]])
    with torch.no_grad():
        likely = model(short).logits.log_softmax(-1)[0]
    wanted = sum(float(likely[short.shape[1] - 4 + n, token]) for n, token in enumerate(written.tolist()))
    assert found[1] == pytest.approx(torch.tensor(wanted / 3).exp().item(), abs=1e-6)


@pytest.mark.parametrize("problem", ["labels", "grades", "ordinal"])
def test_labels_and_grades_are_explained_as_they_are_said(problem: Any, tmp_path: Path) -> None:
    config = {
        "labels": LABELS,
        "grades": {"num_labels": 1, "grades": [-9.0, 9.0], "continuous": True},
        "ordinal": {
            "num_labels": 2,
            "grades": [1.0, 2.0, 5.0],
            "id2label": {0: "above 1", 1: "above 2"},
            "label2id": {"above 1": 0, "above 2": 1},
        },
    }[problem]
    settings = Finetune(problem=problem, max_tokens=16)
    task, model, tokenizer = _loaded("sentiment", "bert", tmp_path, settings, **config)
    found = explain(task, model, tokenizer, {"text": "the film was fine"}, asked=QUICK)
    (said,) = task.predict(model, tokenizer, [task.asked_by({"text": "the film was fine"})])
    wanted = {
        "labels": lambda: max(said["probabilities"].values()),
        "grades": lambda: said["prediction"],
        "ordinal": lambda: said["above"][found.name.removeprefix("above ")],
    }[problem]()
    assert found.value == pytest.approx(wanted, abs=1e-5)
    assert found.unit == ("grade" if problem == "grades" else "probability")
    assert len(found.attributions) == 2 and found.as_dict()["tokens"][1]["entry"] == "the"


def test_a_model_with_an_adapter_is_explained(tmp_path: Path) -> None:
    import peft

    task, model, tokenizer = _loaded("sentiment", "bert", tmp_path, Finetune(max_tokens=16), **LABELS)
    adapter = peft.LoraConfig(task_type="SEQ_CLS", target_modules=["query", "value"], r=2)
    plain = explain(task, model, tokenizer, {"text": "the film was fine"}, asked=QUICK)
    worn = explain(
        task, peft.get_peft_model(model, adapter), tokenizer, {"text": "the film was fine"}, asked=QUICK
    )
    assert [one.method for one in worn.attributions] == [one.method for one in plain.attributions]
    for one, other in zip(worn.attributions, plain.attributions, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-4), "an adapter that has learnt nothing"


def test_unknown_words_of_a_prompt_are_words_too(tmp_path: Path) -> None:
    settings = Finetune(max_tokens=32, max_new_tokens=4)
    task, model, tokenizer = _loaded("answering", "gpt2", tmp_path, settings)
    texts = {"context": "the plot was dull", "question": "was the unheard film dull"}
    said = _said(task, model, tokenizer, texts, Wanted("fine"))
    read = _read(said)
    assert read[:4] == ["the", "plot", "was", "dull"] and "[UNK]" in read
    assert said.answer == "fine" and len(said.movable) == len(read)
    assert "Answer" not in " ".join(read), "the cue belongs to the task"
