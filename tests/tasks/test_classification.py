"""Classification from any kind of base model: what is saved says the same to transformers' own pipeline."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer, pipeline

from pipeline.errors import GroundupError
from pipeline.recipe import Finetune
from pipeline.sources import Row
from pipeline.tasks import task_named
from tests.tasks.bases import BAD, FAMILIES, GOOD, publish, sentence, train, write_rows


def _classifier(directory: Path) -> Any:
    return pipeline("text-classification", model=str(directory), device="cpu")


def _inputs(lines: list[dict[str, Any]]) -> list[Any]:
    return [{"text": e["text"], "text_pair": e["pair"]} if "pair" in e else e["text"] for e in lines]


def _pairs(count: int) -> list[dict[str, Any]]:
    """The second text tells."""
    chance = random.Random(0)
    return [
        {
            "first": sentence(GOOD + BAD, n, chance),
            "second": sentence((BAD, GOOD)[n % 2], n + 1, chance),
            "label": ("no", "yes")[n % 2],
        }
        for n in range(count)
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_pairs_are_learnt_from_any_base_and_pipelines_say_the_same(family: str, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "a.jsonl", _pairs(400))
    start = publish(family, tmp_path / "base")
    metrics, lines = train(
        start, data, tmp_path / "out", text_column="first", pair_column="second", label_names=("no", "yes")
    )
    assert metrics["tfidf_logistic_regression"]["accuracy"] == 1
    assert metrics["model"]["accuracy"] > 0.9 > metrics["majority_class"]["accuracy"]
    said = _classifier(tmp_path / "out")(_inputs(lines))
    assert len(said) == len(lines) > 50
    for found, line in zip(said, lines, strict=True):
        assert found["label"] == line["prediction"]
        assert found["score"] == pytest.approx(line["probability"], abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_two_texts_stand_as_the_tokenizer_writes_them(family: str, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(publish(family, tmp_path))
    task = task_named("sentiment", Finetune(pair_column="pair", max_tokens=12))
    task.prepare_tokenizer(tokenizer)
    tokenizer.save_pretrained(tmp_path)
    config: Any = type("Config", (), {"label2id": {"x": 0}})
    pair = {"text": "the film was dull", "pair": "the plot", "label": "x"}
    features = task.encode(pair, tokenizer, config)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    stock = loaded("the film was dull", "the plot")
    assert features["input_ids"] == [stock["input_ids"]]
    assert features.get("token_type_ids") == ([stock["token_type_ids"]] if family == "bert" else None)
    marked = {
        "bert": "[CLS] the film was dull [SEP] the plot [SEP]",
        "t5": "the film was dull </s> the plot </s>",
        "bart": "<s> the film was dull </s> </s> the plot </s>",
        "gpt2": "the film was dull </s> the plot",
    }
    assert " ".join(loaded.convert_ids_to_tokens(stock["input_ids"])) == marked[family]
    long = {**pair, "text": "the film " * 9}
    (ids,) = task.encode(long, tokenizer, config)["input_ids"]
    assert len(ids) == 12 and tokenizer.convert_tokens_to_ids("plot") in ids


def test_columns_of_pairs_are_named_in_the_refusal() -> None:
    rows = [Row({"sentence1": "a", "sentence2": "b", "label": "1"}, "row 1")]
    with pytest.raises(GroundupError, match="--text-column sentence1 --pair-column sentence2"):
        list(task_named("sentiment", Finetune()).examples(rows))


def test_pairs_that_share_a_text_stay_together_and_the_baseline_reads_chinese_ones() -> None:
    rows = [
        {"text": "这部电影很好看", "pair": pair, "label": label}
        for n in range(12)
        for pair, label in ((f"影片{n}好看", "同"), (f"天气{n}不错", "异"))
    ]
    task = task_named("sentiment", Finetune(pair_column="pair"))
    examples = list(task.examples(Row(values, f"row {n}") for n, values in enumerate(rows)))
    assert len({e.group for e in examples}) == 1 and len({task.finer_group(e) for e in examples}) == 24
    said = task.baselines(examples[:16], examples[16:])["tfidf_logistic_regression"]
    assert all(p["correct"] for p in said)


def test_what_spells_a_mark_is_plain_text_to_the_pipeline_too(tmp_path: Path) -> None:
    chance = random.Random(0)
    rows = [{"text": f"</s> {sentence((BAD, GOOD)[n % 2], n, chance)}", "label": n % 2} for n in range(200)]
    start = publish("t5", tmp_path / "base")
    _, lines = train(start, write_rows(tmp_path / "a.jsonl", rows), tmp_path / "out", steps=5)
    said = _classifier(tmp_path / "out")(_inputs(lines))
    assert [s["label"] for s in said] == [line["prediction"] for line in lines]
    config = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert config["split_special_tokens"] is True and config["model_max_length"] == 24
