"""Classification from any kind of base model: what is saved says the same to transformers' own pipeline."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, root_mean_squared_error
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import AutoTokenizer, PretrainedConfig, pipeline
from transformers.modeling_outputs import SequenceClassifierOutput

from pipeline.errors import GroundupError
from pipeline.model.published import fit_embeddings, load_model, load_tokenizer
from pipeline.recipe import Finetune
from pipeline.sources import Row
from pipeline.tasks import task_named
from pipeline.tasks.base import Example
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


_NAMES = {"good": GOOD, "bad": BAD}


def _several(count: int) -> list[dict[str, Any]]:
    """A text of two sentences, each of which may bring a label; a third label comes seldom."""
    chance = random.Random(0)
    rows = []
    for n in range(count):
        names = [name for place, name in enumerate(_NAMES) if n >> place & 1]
        parts = [sentence(_NAMES[name], n, chance) for name in names] or [f"the film {n}"]
        rows.append({"text": " ".join(parts), "label": names + (["rare"] if n % 16 == 5 else [])})
    return rows


def test_several_labels_have_thresholds_of_their_own_and_pipelines_say_the_same(tmp_path: Path) -> None:
    start = publish("bert", tmp_path / "base")
    data = write_rows(tmp_path / "a.jsonl", _several(600))
    metrics, lines = train(start, data, tmp_path / "out", problem="labels", steps=120)
    model, trivial = metrics["model"], metrics["commonest_labels"]
    assert model["micro_f1"] > 0.8 > trivial["micro_f1"] and 0 <= model["ece"] < 0.2
    truth, said = ([set(line[name]) for line in lines] for name in ("label", "prediction"))
    names = ["bad", "good", "rare"]
    table = [[[int(n in row) for n in names] for row in rows] for rows in (truth, said)]
    for average in ("micro", "macro"):
        assert model[f"{average}_f1"] == pytest.approx(f1_score(*table, average=average))
    assert model["subset_accuracy"] == pytest.approx(accuracy_score(*table))
    classify = _classifier(tmp_path / "out")
    thresholds = classify.model.config.decision_thresholds
    assert (
        set(thresholds) == set(names) and classify.model.config.problem_type == "multi_label_classification"
    )
    for found, line in zip(classify(_inputs(lines), top_k=None), lines, strict=True):
        scores = {entry["label"]: entry["score"] for entry in found}
        assert scores == pytest.approx(line["probabilities"], abs=1e-5)
        close = any(abs(scores[name] - thresholds[name]) < 1e-6 for name in names)
        assert close or {n for n in names if scores[n] >= thresholds[n]} == set(line["prediction"])


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("good, bad", ["good", "bad"]),
        ("", []),
        (None, []),
        (["bad"], ["bad"]),
        ("1,0", ["bad", "good"]),
        (1, ["bad"]),
    ],
)
def test_labels_in_one_cell(cell: Any, labels: list[str]) -> None:
    task = task_named("sentiment", Finetune(problem="labels", label_names=("good", "bad")))
    (example,) = task.examples([Row({"text": "a", "label": cell}, "row 1")])
    assert example.fields["label"] == labels
    other = task_named("sentiment", Finetune(problem="labels", label_separator="|"))
    (example,) = other.examples([Row({"text": "a", "label": "x, y|z"}, "row 1")])
    assert example.fields["label"] == ["x, y", "z"]
    with pytest.raises(GroundupError, match="there is no column 'label'"):
        list(task.examples([Row({"text": "a", "lable": "good"}, "row 1")]))


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        ({"good": "0", "bad": "1"}, ["bad"]),
        ({"good": 1, "bad": 1.0}, ["good", "bad"]),
        ({"good": False, "bad": "False"}, []),
    ],
)
def test_a_column_for_each_label(cells: dict[str, Any], labels: list[str]) -> None:
    task = task_named("sentiment", Finetune(problem="labels", label_names=("good", "bad")))
    (example,) = task.examples([Row({"text": "a", **cells}, "row 1")])
    assert example.fields["label"] == labels
    for wrong, said in (
        ({"bad": "-1"}, "holds '-1'"),
        ({"bad": ""}, "is empty"),
        ({"worse": 1}, "no column 'bad'"),
    ):
        row = Row({"text": "a", "good": 0, **wrong}, "row 1")
        with pytest.raises(GroundupError, match=said):
            list(task.examples([row]))


def _graded(count: int) -> list[dict[str, Any]]:
    """Three sentences, of which 0 to 3 are good."""
    chance = random.Random(0)
    return [
        {"text": " ".join(sentence((BAD, GOOD)[m < n % 4], n, chance) for m in range(3)), "label": n % 4 + 1}
        for n in range(count)
    ]


def test_grades_are_learnt_as_numbers_and_pipelines_say_the_same(tmp_path: Path) -> None:
    start = publish("bert", tmp_path / "base")
    data = write_rows(tmp_path / "a.jsonl", _graded(600))
    metrics, lines = train(start, data, tmp_path / "out", problem="grades", steps=120)
    model = metrics["model"]
    assert model["rmse"] < 0.5 < 1 < metrics["mean_grade"]["rmse"]
    truth, said = ([line[name] for line in lines] for name in ("label", "prediction"))
    assert model["mae"] == pytest.approx(mean_absolute_error(truth, said))
    assert model["rmse"] == pytest.approx(root_mean_squared_error(truth, said))
    assert model["pearson"] == pytest.approx(pearsonr(truth, said).statistic)
    assert model["spearman"] == pytest.approx(spearmanr(truth, said).statistic)
    assert model["accuracy"] == pytest.approx(accuracy_score(truth, [round(value) for value in said]))
    assert metrics["mean_grade"]["pearson"] == 0
    found = [entry["score"] for entry in _classifier(tmp_path / "out")(_inputs(lines))]
    assert [min(max(score, 1), 4) for score in found] == pytest.approx(said, abs=1e-5)


def test_ordinal_grades_are_learnt_by_their_order_and_pipelines_say_the_same(tmp_path: Path) -> None:
    uneven = [{**row, "label": (-1, 0, 0.5, 40)[row["label"] - 1]} for row in _graded(600)]
    start, data = publish("bert", tmp_path / "base"), write_rows(tmp_path / "a.jsonl", uneven)
    metrics, lines = train(start, data, tmp_path / "out", problem="ordinal", steps=160)
    model = metrics["model"]
    assert model["accuracy"] > 0.85 > 0.5 > metrics["mean_grade"]["accuracy"] and 0 <= model["ece"] < 0.2
    truth, said, grades = ([line[name] for line in lines] for name in ("label", "prediction", "grade"))
    assert model["accuracy"] == pytest.approx(accuracy_score(list(map(str, truth)), list(map(str, grades))))
    assert model["mae"] == pytest.approx(mean_absolute_error(truth, said))
    assert all(-1 <= value <= 40 for value in said) and set(grades) == {-1, 0, 0.5, 40}
    classify = _classifier(tmp_path / "out")
    for found, line in zip(classify(_inputs(lines), top_k=None), lines, strict=True):
        likely = {entry["label"].removeprefix("above "): entry["score"] for entry in found}
        assert likely == pytest.approx(line["above"], abs=1e-5)
        steps = {"-1": 1, "0": 0.5, "0.5": 39.5}
        assert sum(steps[grade] * likely[grade] for grade in steps) - 1 == pytest.approx(
            line["prediction"], abs=1e-3
        )
        close = any(abs(chance - 0.5) < 1e-5 for chance in likely.values())
        assert close or line["grade"] == [-1, 0, 0.5, 40][sum(c >= 0.5 for c in likely.values())]


@pytest.mark.parametrize(
    ("labels", "said"), [(range(60), "60 different grades"), ([3] * 60, "have the grade 3")]
)
def test_ordinal_grades_are_few_and_more_than_one(labels: Any, said: str) -> None:
    task = task_named("sentiment", Finetune(problem="ordinal", data="a.csv"))
    examples = list(task.examples(Row({"text": f"film {n}", "label": n}, "row") for n in labels))
    with pytest.raises(GroundupError, match=said):
        task.check(examples, examples)


def test_many_grades_are_a_scale_and_words_are_none(tmp_path: Path) -> None:
    rows = [{"text": f"film {n}", "label": n / 7} for n in range(60)]
    task = task_named("sentiment", Finetune(problem="grades", data="a.csv"))
    examples = list(task.examples(Row(values, f"row {n}") for n, values in enumerate(rows)))
    assert task.model_config(examples)["grades"] == [0, 59 / 7]
    scores = {name: task.score(examples, said) for name, said in task.baselines(examples, examples).items()}
    assert (
        "accuracy" not in scores["mean_grade"]
        and scores["tfidf_ridge"]["rmse"] < scores["mean_grade"]["rmse"]
    )
    with pytest.raises(GroundupError, match="row 1: the grade 'good' is no number"):
        list(task.examples([Row({"text": "a", "label": "good"}, "row 1")]))
    with pytest.raises(GroundupError, match="have the grade 3"):
        task.check([Example({"text": "a", "label": 3.0}, "row 1", "a")], [])


def test_classes_that_are_numbers_tell_how_far_off_they_are() -> None:
    task = task_named("sentiment", Finetune())
    pairs = [("1", "1"), ("5", "2"), ("3", "4")]
    examples = [Example({"text": "a", "label": wanted}, "row", "a") for wanted, _ in pairs]
    said = [{"prediction": label, "probability": 0.5, "correct": label == wanted} for wanted, label in pairs]
    assert task.score(examples, said)["mae"] == pytest.approx(4 / 3)


def test_rare_classes_weigh_more_and_have_a_threshold(tmp_path: Path) -> None:
    chance = random.Random(0)
    rows = [
        {
            "text": sentence(GOOD + BAD[:2] if n % 6 else BAD, n, chance),
            "label": "rare" if n % 6 == 0 else "common",
        }
        for n in range(600)
    ]
    start, data = publish("bert", tmp_path / "base"), write_rows(tmp_path / "a.jsonl", rows)
    metrics, lines = train(
        start,
        data,
        tmp_path / "out",
        class_weights="balanced",
        choose_threshold=True,
        steps=120,
        learning_rate=3e-3,
    )
    told = json.loads((tmp_path / "out" / "details.json").read_text())["model"]
    classify = _classifier(tmp_path / "out")
    config = classify.model.config
    weights = config.class_weights
    assert told["class_weights"] == weights and weights["rare"] > 2 > 1 > weights["common"]
    assert 1 / weights["rare"] + 1 / weights["common"] == pytest.approx(2)  # they are n / 2r and n / 2(n - r)
    assert config.decision_threshold == {"rare": told["decision_threshold"]}
    assert 0 < told["decision_threshold"] < 1 and told["decision_threshold"] != 0.5
    likely = [
        {e["label"]: e["score"] for e in found}["rare"] for found in classify(_inputs(lines), top_k=None)
    ]
    reached = ["rare" if p >= told["decision_threshold"] else "common" for p in likely]
    assert reached == [line["prediction"] for line in lines]
    assert metrics["model"]["macro_f1"] > metrics["majority_class"]["macro_f1"]
    task = task_named("sentiment", Finetune())
    examples = [Example({"text": "x", "label": label}, "row", "x") for label in ("rare", "common")]
    again = load_model(str(tmp_path / "out"), task.model_class, **task.model_config(examples)).config
    assert task.loss(again) is None and again.decision_threshold is None
    with pytest.raises(GroundupError, match="there are 3"):
        other = [*examples, Example({"text": "x", "label": "third"}, "row", "x")]
        task_named("sentiment", Finetune(choose_threshold=True)).check(other, [])


def test_weights_are_those_of_scikit_learn_and_of_torch() -> None:
    task = task_named("sentiment", Finetune(class_weights="balanced", label_names=("a", "b", "never")))
    examples = [Example({"text": "x", "label": label}, "row", "x") for label in "aaab"]
    assert task.model_config(examples)["class_weights"] == {"a": 4 / 6, "b": 4 / 2, "never": 1.0}
    task = task_named("sentiment", Finetune(problem="labels", class_weights="balanced"))
    several = [Example({"text": "x", "label": list(labels)}, "row", "x") for labels in ("a", "ab", "ab", "")]
    values = task.model_config(several)
    assert values["class_weights"] == {"a": [4 / 2, 4 / 6], "b": [1.0, 1.0]}
    config: Any = PretrainedConfig(id2label=values["id2label"])
    config.class_weights = values["class_weights"]
    loss = task.loss(config)
    assert loss is not None
    logits, labels = torch.randn(5, 2), torch.randint(0, 2, (5, 2)).float()
    negative = torch.tensor([2.0, 1.0])
    wanted = negative * binary_cross_entropy_with_logits(
        logits, labels, pos_weight=torch.tensor([2 / 6, 1.0]), reduction="none"
    )
    found = loss(SequenceClassifierOutput(logits=logits), labels, num_items_in_batch=None)
    torch.testing.assert_close(found, wanted.mean())


def _long(count: int) -> list[dict[str, Any]]:
    """The word that tells stands in the middle of much that does not."""
    chance = random.Random(0)
    filler = ["the film 7"] * 8
    return [
        {
            "text": " ".join([*filler, sentence((BAD, GOOD)[n % 2], n, chance), *filler]),
            "label": ("bad", "good")[n % 2],
        }
        for n in range(count)
    ]


def test_windows_find_what_stands_in_the_middle_and_the_head_is_what_pipelines_read(tmp_path: Path) -> None:
    start, data = publish("bert", tmp_path / "base"), write_rows(tmp_path / "a.jsonl", _long(300))
    metrics, _ = train(start, data, tmp_path / "windows", long_texts="windows", max_tokens=32, steps=200)
    assert metrics["model"]["accuracy"] > 0.9
    metrics, lines = train(start, data, tmp_path / "head", long_texts="head", max_tokens=20, steps=10)
    assert metrics["model"]["accuracy"] < 0.7
    said = _classifier(tmp_path / "head")(_inputs(lines), truncation=True)
    assert [s["label"] for s in said] == [line["prediction"] for line in lines]
    assert [s["score"] for s in said] == pytest.approx([line["probability"] for line in lines], abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_windows_overlap_leave_nothing_out_and_their_logits_are_averaged(family: str, tmp_path: Path) -> None:
    start = publish(family, tmp_path)
    tokenizer = load_tokenizer(start)
    task = task_named("sentiment", Finetune(long_texts="windows", max_tokens=16))
    task.prepare_tokenizer(tokenizer)
    examples = [
        Example({"text": text, "label": "a"}, "row", "x") for text in (_long(1)[0]["text"], "the film")
    ]
    model = load_model(start, task.model_class, pad_token_id=tokenizer.pad_token_id).eval()
    fit_embeddings(model, tokenizer)
    features = task.encode(examples[0].fields, tokenizer, type("Config", (), {"label2id": {"a": 0}}))
    windows = features["input_ids"]
    assert len(windows) == len(features["labels"]) > 3 and all(len(ids) <= 16 for ids in windows)
    plain = [tokenizer.decode(ids, skip_special_tokens=True).split() for ids in windows]
    whole = examples[0].fields["text"].split()
    rebuilt = plain[0]
    for words in plain[1:]:
        assert words[:4] == rebuilt[-4:]
        rebuilt = rebuilt + words[4:]
    assert rebuilt == whole
    with torch.no_grad():
        logits = torch.cat([model(input_ids=torch.tensor([ids])).logits for ids in windows])
    sure = logits.mean(0).softmax(-1).max()
    assert task.predict(model, tokenizer, examples)[0]["probability"] == pytest.approx(float(sure), abs=1e-5)
