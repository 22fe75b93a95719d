"""Every objective trains, goes on where it was cut off, learns, and leaves what stock classes load and fine-tune."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForPreTraining, AutoTokenizer, TrainerCallback

from pipeline.artifacts import Artifact, read_log
from pipeline.errors import GroundupError
from pipeline.recipe import Corruption, Finetune, Watch
from pipeline.train.finetune import finetune
from tests.train.objectives.small import FAMILIES, monotonous, recipe_for, tokenizer_stage, trained
from tests.train.watched import FailsAt

QUICK: dict[str, Any] = {
    "steps": 2,
    "global_batch": 4,
    "micro_batch": 4,
    "max_tokens": 32,
    "max_new_tokens": 4,
    "precision": "float32",
    "from_scratch": False,
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tokenizer_stage(tmp_path_factory.mktemp("tokens") / "tokenizer")


@pytest.fixture(scope="module")
def runs(stage: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, Any]]]:
    """By objective where it was trained without interruption, and its metrics."""
    place = tmp_path_factory.mktemp("runs")
    return {name: (place / name, trained(recipe_for(name), stage, place / name)) for name in FAMILIES}


MEASURED = {
    "masked": {"loss", "pseudo_perplexity"},
    "span-corruption": {"loss"},
    "replaced-token": {
        "loss",
        "generator_loss",
        "discriminator_loss",
        "accuracy",
        "replaced_f1",
        "replaced_auc",
        "replaced_share",
    },
}


@pytest.mark.parametrize("objective", FAMILIES)
def test_it_is_measured_without_bits_per_byte(objective: str, runs: dict[str, Any]) -> None:
    out, metrics = runs[objective]
    costs = {"tokens_per_second", "mfu", "seconds", "parameters", "tokens", "steps"}
    assert set(metrics["model"]) == MEASURED[objective] | costs
    log = read_log(out / "log.jsonl")
    assert [e["step"] for e in log if "eval_loss" in e] == [3, 6]
    assert log and not any("bits_per_byte" in entry for entry in log)
    assert metrics["model"]["loss"] == [e["eval_loss"] for e in log if "eval_loss" in e][-1]
    assert 0 < metrics["model"]["mfu"] < 10 and metrics["model"]["steps"] == 6


@pytest.mark.parametrize("objective", FAMILIES)
def test_a_training_that_was_cut_off_ends_with_the_same_weights(
    objective: str, stage: Path, runs: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="the machine is gone"):
        trained(recipe_for(objective), stage, tmp_path, FailsAt(5))
    trained(recipe_for(objective), stage, tmp_path)
    whole, again = (load_file(str(out / "model.safetensors")) for out in (runs[objective][0], tmp_path))
    assert whole.keys() == again.keys() and all(torch.equal(whole[name], again[name]) for name in whole)


STOCK = """
import sys
import torch
import transformers
from transformers import AutoTokenizer

for head, path in zip(sys.argv[1::2], sys.argv[2::2]):
    model, found = getattr(transformers, head).from_pretrained(path, output_loading_info=True)
    assert not found["missing_keys"] and not found["unexpected_keys"], found
    tokenizer = AutoTokenizer.from_pretrained(path)
    read = tokenizer("monday tuesday", return_tensors="pt")
    written = {"decoder_input_ids": read["input_ids"]} if head.endswith("Seq2SeqLM") else {}
    is_finite = bool(model(**read, **written).logits.isfinite().all())
    print(type(model).__name__, tokenizer.decode(read["input_ids"][0]), is_finite)
"""


def test_stock_classes_load_it_in_a_process_without_us(runs: dict[str, Any], tmp_path: Path) -> None:
    places = {name: str(out) for name, (out, _) in runs.items()}
    arguments = [
        *("AutoModelForMaskedLM", places["masked"]),
        *("AutoModelForSeq2SeqLM", places["span-corruption"]),
        *("AutoModelForPreTraining", places["replaced-token"]),
        *("AutoModelForMaskedLM", places["replaced-token"] + "/generator"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", STOCK, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    around = "<|endoftext|>monday tuesday<|endoftext|>"
    assert done.stdout.splitlines() == [
        f"BertForMaskedLM {around} True",
        "T5ForConditionalGeneration monday tuesday<|endoftext|> True",
        f"ElectraForPreTraining {around} True",
        f"ElectraForMaskedLM {around} True",
    ]


def test_generator_and_discriminator_share_their_embeddings(runs: dict[str, Any]) -> None:
    out, metrics = runs["replaced-token"]
    large, small = (load_file(str(place / "model.safetensors")) for place in (out, out / "generator"))
    shared = {name for name in large if ".embeddings." in name}
    assert len(shared) == 5 and all(torch.equal(large[name], small[name]) for name in shared)
    model = AutoModelForPreTraining.from_pretrained(out)
    assert metrics["model"]["parameters"] == model.num_parameters()
    config = json.loads((out / "generator" / "config.json").read_text())
    assert (config["hidden_size"], config["num_attention_heads"], config["embedding_size"]) == (32, 1, 64)


class Keeps(TrainerCallback):
    """The tokens and labels of every step."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_train_begin(self, *_: Any, train_dataloader: Any = None, **__: Any) -> None:
        self.seen = [batch["input_ids"] for batch in train_dataloader]


def test_rows_begin_as_texts_do_when_the_model_is_fine_tuned(stage: Path, tmp_path: Path) -> None:
    kept = Keeps()
    trained(recipe_for("masked", steps=2, evaluate_every=0), stage, tmp_path, kept)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.cls_token == tokenizer.sep_token == tokenizer.eos_token
    begins = tokenizer("monday")["input_ids"][0]
    assert len(kept.seen) == 4 and all((ids[:, 0] == begins).all() for ids in kept.seen)
    assert tokenizer("monday", "tuesday")["input_ids"].count(begins) == 3


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pattern") / "tokenizer"
    return tokenizer_stage(place, train=monotonous(70), validation=monotonous(7))


@pytest.mark.parametrize("whole_words", [False, True])
def test_a_masked_model_learns_a_pattern(whole_words: bool, pattern: Path, tmp_path: Path) -> None:
    recipe = recipe_for(
        "masked",
        Corruption(whole_words=whole_words),
        steps=160,
        global_batch=8,
        micro_batch=8,
        evaluate_every=0,
        checkpoint_every=1000,
    )
    metrics = trained(recipe, pattern, tmp_path)
    assert metrics["model"]["loss"] < 0.4 * metrics["unigram"]["loss"]
    assert 1 <= metrics["model"]["pseudo_perplexity"] < 2


def test_a_discriminator_learns_to_tell(pattern: Path, tmp_path: Path) -> None:
    recipe = recipe_for(
        "replaced-token",
        Corruption(generator=0.5),
        steps=200,
        global_batch=8,
        micro_batch=8,
        optimizer="muon",
        learning_rate=1e-2,
        evaluate_every=0,
        checkpoint_every=1000,
    )
    metrics = trained(recipe, pattern, tmp_path)
    assert metrics["model"]["replaced_auc"] > 0.8 and metrics["model"]["replaced_f1"] > 0.6
    assert metrics["model"]["accuracy"] > metrics["nothing_replaced"]["accuracy"]


def _reviews(file: Path) -> str:
    lines = [
        f"{word} {day} {n},{label}"
        for n in range(8)
        for word, label in (("good", 1), ("bad", 0))
        for day in ("monday", "sunday")
    ]
    file.write_text("text,label\n" + "\n".join(lines))
    return str(file)


def _questions(file: Path) -> str:
    paragraphs = []
    for n in range(12):
        context = f"monday tuesday {n}"
        answers = [{"text": "tuesday", "answer_start": context.index("tuesday")}]
        asked = {"id": str(n), "question": "which day", "answers": answers}
        none = {"id": f"{n}-none", "question": "why", "answers": [], "is_impossible": True}
        paragraphs.append({"title": str(n), "paragraphs": [{"context": context, "qas": [asked, none]}]})
    file.write_text(json.dumps({"version": "2.0", "data": paragraphs}))
    return str(file)


def _pairs(file: Path) -> str:
    file.write_text(
        "".join(json.dumps({"source": f"monday {n}", "target": f"sunday {n}"}) + "\n" for n in range(20))
    )
    return str(file)


def _settings(task: str, directory: Path) -> Finetune:
    if task == "translation":
        pairs = _pairs(directory / "pairs.jsonl")
        return Finetune(data=pairs, text_column="source", label_column="target", **QUICK)
    make = _reviews if task == "sentiment" else _questions
    return Finetune(data=make(directory / ("rows.csv" if task == "sentiment" else "rows.json")), **QUICK)


@pytest.mark.parametrize(
    ("objective", "task"),
    [
        ("masked", "sentiment"),
        ("masked", "qa"),
        ("replaced-token", "sentiment"),
        ("replaced-token", "qa"),
        ("span-corruption", "sentiment"),
        ("span-corruption", "qa"),
        ("span-corruption", "translation"),
    ],
)
def test_it_is_fine_tuned(objective: str, task: str, runs: dict[str, Any], tmp_path: Path) -> None:
    start, out = str(runs[objective][0]), Artifact(tmp_path / "out")
    metrics = finetune(task, _settings(task, tmp_path), start, 0.2, 0, out, Watch(energy=False))
    assert metrics["model"]["examples"] > 0
    before, after = (load_file(str(Path(place) / "model.safetensors")) for place in (start, out.path))
    after |= {name.removeprefix("transformer."): weight for name, weight in after.items()}
    body = [name for name in before if "layer" in name and name.endswith("weight") and name in after]
    assert len(body) > 10 and all((before[name] - after[name]).abs().max() < 0.1 for name in body)


@pytest.mark.parametrize("objective", ["masked", "replaced-token"])
def test_an_encoder_translates_nothing(objective: str, runs: dict[str, Any], tmp_path: Path) -> None:
    start, out = str(runs[objective][0]), Artifact(tmp_path / "out")
    with pytest.raises(GroundupError, match="an encoder writes no text"):
        finetune("translation", _settings("translation", tmp_path), start, 0.2, 0, out, Watch(energy=False))
