"""The comparison over numbers of labels: its subsets, Bayes' rule, one held-out part for all, and all of it tiny."""

from __future__ import annotations

import csv
import json
import math
import random
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from benchmarks.labels import (
    ARMS,
    DATA,
    Bench,
    Results,
    bench_of,
    facts_of,
    measure,
    steps_for,
    table,
    write_page,
)
from benchmarks.labels_data import COUNTS, by_counts, in_order
from benchmarks.labels_picture import picture
from benchmarks.labels_tasks import Generative, Head, register
from pipeline.artifacts import Artifact, read_json
from pipeline.evaluate.split import is_held_out
from pipeline.model.published import load_model, load_tokenizer
from pipeline.recipe import Finetune
from pipeline.recipe_files import load_recipe
from pipeline.tasks import TASKS
from pipeline.tasks.base import Example
from pipeline.train.data.examples import read_examples

GOOD, BAD = ("warm", "clever"), ("dull", "empty")


@pytest.fixture(autouse=True)
def _own_tasks() -> Iterator[None]:
    known = dict(TASKS)
    register()
    yield
    TASKS.clear()
    TASKS.update(known)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose pre-training is a tiny model with random weights that reads bytes."""
    place = tmp_path_factory.mktemp("run")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {word: number for number, word in enumerate(["<end>", "<pad>", *letters])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>", pad_token="<pad>")
    tokenizer.save_pretrained(place / "pretrain")
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=1,
        n_head=2,
        n_positions=64,
        eos_token_id=0,
        bos_token_id=0,
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(place / "pretrain")
    Artifact(place / "pretrain").finish({"seed": 0}, {})
    return place


def _example(text: str, label: str) -> Example:
    return Example({"text": text, "label": label}, place="here", group=text)


def _examples(count: int) -> list[Example]:
    chance = random.Random(0)
    words = {"positive": GOOD, "negative": BAD}
    return [
        _example(f"{chance.choice(words[label])} film {number}", label)
        for number in range(count)
        for label in (("positive", "negative")[number % 3 == 0],)
    ]


def test_subsets_nest_and_are_balanced_while_they_can_be() -> None:
    examples = _examples(90)  # of which 30 are negative
    orders = [in_order(examples, seed) for seed in (0, 1)]
    for order in orders:
        assert sorted(e.group for e in order) == sorted(e.group for e in examples)
        for size in (8, 32, 60):
            assert set(Counter(e.fields["label"] for e in order[:size]).values()) == {size // 2}
    first, second = ({e.group for e in order[:32]} for order in orders)
    assert first != second
    assert in_order(examples, 0) == orders[0]
    assert (
        in_order(_examples(90)[::-1], 0)[:8] != orders[0][:8]
    )  # by the data's order too, which is the same each time


def test_steps_grow_with_the_labels_and_make_a_pass_at_least() -> None:
    assert [steps_for(labels) for labels in (32, 256, 2048)] == [40, 80, 160]
    assert steps_for(16_000) == 1000


def test_held_out_sentences_are_those_that_the_corpus_left_out() -> None:
    share = load_recipe("quickstart").held_out
    parts = read_examples(Head(Finetune(data=DATA)), share, 0)
    assert len(parts.held_out) > 400 and not parts.validation
    assert all(is_held_out(example.group, share, 0) for example in parts.held_out)
    assert not any(is_held_out(example.group, share, 0) for example in parts.train)


@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_words_tell_classes_apart(name: str) -> None:
    examples = _examples(120)
    assert by_counts(name, examples[:90], examples[90:]) == 1.0
    swapped = [_example(e.fields["text"], "positive") for e in examples[90:]]
    wanted = sum(e.fields["label"] == "positive" for e in examples[90:]) / 30
    assert by_counts(name, examples[:90], swapped) == pytest.approx(wanted)


def _task(max_tokens: int = 48) -> tuple[Generative, dict[str, Any]]:
    """With three positive examples of four."""
    task = Generative(Finetune(max_tokens=max_tokens))
    train = [_example(str(n), "negative" if n == 0 else "positive") for n in range(4)]
    return task, task.model_config(train)


def _loaded(run: Path, config: dict[str, Any]) -> tuple[Any, Any]:
    start = str(run / "pretrain")
    return load_model(start, Generative.model_class, **config).eval(), load_tokenizer(start)


def _log_probability(model: Any, ids: list[int], given: int) -> float:
    """Of all tokens after the first ones, one by one."""
    total = 0.0
    for place in range(given, len(ids)):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids[:place]])).logits[0, -1].double()
        total += float(logits[ids[place]] - logits.logsumexp(0))
    return total


def test_the_class_is_that_of_bayes_rule(run: Path) -> None:
    task, config = _task()
    model, tokenizer = _loaded(run, config)
    texts = ["warm film", "a dull and empty one", "x"]
    wanted = []
    for text in texts:
        joint = []
        for label, prior in (("negative", 0.25), ("positive", 0.75)):
            prompt = [0, *tokenizer.encode(f"{label}:")]
            ids = [*prompt, *tokenizer.encode(f" {text}"), 0]
            joint.append(_log_probability(model, ids, len(prompt)) + math.log(prior))
        wanted.append(joint)
    examples = [_example(text, "positive") for text in texts]
    found = task.joint(model, tokenizer, examples)
    assert found.numpy() == pytest.approx(torch.tensor(wanted).numpy(), abs=1e-3)
    for prediction, (negative, positive) in zip(
        task.predict(model, tokenizer, examples), wanted, strict=True
    ):
        assert prediction["prediction"] == ("positive" if positive > negative else "negative")
        posterior = 1 / (1 + math.exp(-abs(positive - negative)))
        assert prediction["probability"] == pytest.approx(posterior, abs=1e-3)


def test_a_prior_decides_where_the_texts_do_not(run: Path) -> None:
    task, config = _task()
    for rare, common in (("negative", "positive"), ("positive", "negative")):
        model, tokenizer = _loaded(run, {**config, "label_prior": {rare: 1e-30, common: 1.0}})
        (said,) = task.predict(model, tokenizer, [_example("film", rare)])
        assert said["prediction"] == common and not said["correct"]


def test_every_label_is_asked_for_the_same_tokens_of_a_long_text(run: Path) -> None:
    task = Generative(Finetune(max_tokens=24))
    config = task.model_config([_example("a", "good"), _example("b", "rather bad")])
    model, tokenizer = _loaded(run, config)
    answers = []
    for label in ("good", "rather bad"):
        features = task.encode({"text": "film " * 20, "label": label}, tokenizer, model.config)
        (ids,), (labels,) = features["input_ids"], features["labels"]
        assert len(ids) <= 24 and ids[0] == tokenizer.eos_token_id
        prompt = len(tokenizer.encode(f"{label}:")) + 1
        assert labels[:prompt] == [-100] * prompt and labels[prompt:] == ids[prompt:]
        answers.append(ids[prompt:])
    assert answers[0] == answers[1] and len(answers[0]) == 24 - len(tokenizer.encode("rather bad:")) - 1


def _bench(run: Path, place: Path) -> Bench:
    data = place / "all.csv"
    with data.open("w", newline="") as file:
        rows = [(example.fields["text"], example.fields["label"]) for example in _examples(150)]
        csv.writer(file).writerows([("text", "label"), *rows])
    return bench_of(run, str(data), place / "runs")


def test_the_whole_comparison_on_a_tiny_model(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.labels._STEPS", 4)
    bench = _bench(run, tmp_path)
    every = len(bench.train)
    assert every + len(bench.held_out) == 150
    file = tmp_path / "labels.json"
    results = Results(file, facts_of(bench))
    measure(bench, results, sizes=(8,), seeds=(0,), large_seeds=1)
    wanted = {(name, labels, 0) for name in (*COUNTS, *ARMS) for labels in (8, every)}
    assert {(row.arm, row.labels, row.seed) for row in results.rows} == wanted
    assert len(results.rows) == len(wanted) and all(0 <= row.accuracy <= 1 for row in results.rows)
    assert len(list(table(results.rows))) == 2 + len(COUNTS) + len(ARMS)

    held_out = sorted(example.fields["text"] for example in bench.held_out)
    measured = sorted(bench.place.glob("*/finetune/*/predictions.jsonl"))
    assert len(measured) == 4  # two sizes, two tasks
    for predictions in measured:
        said = predictions.read_text("utf-8").splitlines()
        assert sorted(json.loads(line)["text"] for line in said) == held_out

    again = Results(file, facts_of(bench))
    assert again.rows == results.rows
    before = file.stat().st_mtime_ns
    measure(bench, again, sizes=(8,), seeds=(0,), large_seeds=1)
    assert file.stat().st_mtime_ns == before and again.rows == results.rows  # nothing is measured twice
    assert not Results(file, {**facts_of(bench), "weights": "others"}).rows
    assert read_json(file)["held_out"] == len(held_out)

    page = tmp_path / "page.md"
    page.write_text("# Labels\n\n<!-- labels -->\nold\n<!-- /labels -->\n")
    write_page(again, page)
    written = page.read_text("utf-8")
    assert "old" not in written and all(line in written for line in table(again.rows))


def test_the_picture_has_a_line_and_a_band_for_every_model() -> None:
    curves = {name: {32: [0.5, 0.6], 512: [0.7]} for name in (*COUNTS, *ARMS)}
    drawn = ElementTree.fromstring(picture(curves))
    space = "{http://www.w3.org/2000/svg}"
    assert (
        len(list(drawn.iter(f"{space}polyline"))) == len(list(drawn.iter(f"{space}polygon"))) == len(curves)
    )
    texts = {element.text for element in drawn.iter(f"{space}text")}
    assert {*curves, "32", "512", "labels", "accuracy"} <= texts
    assert "head, pre-trained from 0.550 with 32 to 0.700 with 512" in drawn.attrib["aria-label"]
    (style,) = drawn.iter(f"{space}style")
    assert "prefers-color-scheme: dark" in (style.text or "")
