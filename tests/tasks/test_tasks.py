"""What each task makes of its rows, without a model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.errors import GroundupError
from pipeline.evaluate.placeholders import are_kept, hide, mended, placeholders, put_back
from pipeline.recipe import Finetune, Tokenizer
from pipeline.sources import Row
from pipeline.tasks import TASKS, task_named
from pipeline.tasks.base import IGNORED, Example
from pipeline.tasks.summarization import first_sentence
from pipeline.tokenizer.train import train_tokenizer
from pipeline.train.data.examples import read_examples

SENTENCES = [
    "The film was good and long.",
    "Open the file %(name)s, please.",
    "Où est la gare ? 北京是首都。",
]


CHAT = {"text_column": "prompt", "label_column": "response"}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer(SENTENCES * 20, Tokenizer(), vocabulary=330, context=64)


def _examples(name: str, *rows: dict[str, Any], **settings: Any) -> list[Example]:
    task = task_named(name, Finetune(**settings))
    return list(task.examples(Row(values, f"row {number}") for number, values in enumerate(rows, start=1)))


def test_every_task_is_one_file_named_after_it() -> None:
    assert {name: task.__module__ for name, task in TASKS.items()} == {
        n: f"pipeline.tasks.{n}" for n in TASKS
    }


def test_predictions_are_made_in_portions_and_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = _examples("chat", *({"prompt": f"{n}?", "response": f"{n}."} for n in range(10)), **CHAT)
    task, portions = task_named("chat", Finetune()), []

    def said(model: Any, tokenizer: Any, part: list[Example]) -> list[dict[str, Any]]:
        portions.append(len(part))
        return [{"prediction": example.fields["messages"][1]["content"]} for example in part]

    monkeypatch.setattr("pipeline.tasks.base._PORTION", 4)
    monkeypatch.setattr(task, "predict_portion", said)
    assert [p["prediction"] for p in task.predict(None, None, examples)] == [f"{n}." for n in range(10)]
    assert portions == [4, 4, 2]


class TestSentiment:
    def test_labels_are_names_or_their_numbers(self) -> None:
        rows = [{"text": "a", "label": label} for label in (0, "1", "bad", 1.0)]
        labels = [e.fields["label"] for e in _examples("sentiment", *rows, label_names=("bad", "good"))]
        assert labels == ["bad", "good", "bad", "good"]
        assert [e.fields["label"] for e in _examples("sentiment", {"text": "a", "label": "4.0"})] == ["4"]

    def test_numbers_come_in_their_order(self) -> None:
        rows = [{"text": str(n), "label": n} for n in (10, 9, 2)]
        config = task_named("sentiment", Finetune()).model_config(_examples("sentiment", *rows))
        assert config["id2label"] == {0: "2", 1: "9", 2: "10"}

    def test_a_long_text_keeps_both_ends(self, tokenizer: Any) -> None:
        task = task_named("sentiment", Finetune(max_tokens=9))
        whole = tokenizer(SENTENCES[0] * 9)["input_ids"]
        config = type("Config", (), {"label2id": {"x": 0}})
        (ids,) = task.encode({"text": SENTENCES[0] * 9, "label": "x"}, tokenizer, config)["input_ids"]
        assert ids == whole[:4] + whole[-5:]

    def test_words_of_the_baseline(self) -> None:
        rows = [{"text": f"{word} {n}", "label": word} for n in range(9) for word in ("good", "bad")]
        examples = _examples("sentiment", *rows)
        said = task_named("sentiment", Finetune()).baselines(examples, examples)
        assert [p["prediction"] for p in said["tfidf_logistic_regression"]] == [r["label"] for r in rows]
        assert {p["prediction"] for p in said["majority_class"]} == {"good"}


class TestTranslation:
    @pytest.mark.parametrize(
        "row",
        [
            {"source": "Open", "target": "Ouvrir"},
            {"translation": {"source": "Open", "target": "Ouvrir"}},
            {"translation": {"en": "Open", "fr": "Ouvrir"}, "id": 3},
            {"en": "Open", "fr": "Ouvrir"},
        ],
    )
    def test_pairs_in_every_form(self, row: dict[str, Any]) -> None:
        settings = {"text_column": "source", "label_column": "target"}
        (example,) = _examples("translation", row, **settings)
        assert example.fields == {"source": "Open", "target": "Ouvrir"}

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("%(name)s and %1$s of %d", ["%(name)s", "%1$s", "%d"]),
            ("%1 of %2", ["%1", "%2"]),
            ("{{ name }} {0} ${path}", ["{{ name }}", "{0}", "${path}"]),
            ("<b>50% discount</b> &amp; more", ["<b>", "</b>", "&amp;"]),
            ("100 % sure", []),
        ],
    )
    def test_placeholders(self, text: str, found: list[str]) -> None:
        assert placeholders(text) == found
        assert put_back(hide(text, found), found) == text

    def test_lost_placeholders_come_back_and_surplus_ones_go(self) -> None:
        known = ["%s", "%d"]
        whole = mended("Il y a %s et %s", known)
        assert are_kept("%s %d", whole) and whole.startswith("Il y a %s et")


ROW = {"context": "Oslo is the capital. It lies on a fjord.", "question": "Where?"}


class TestQuestionAnswering:
    @pytest.mark.parametrize(
        ("answers", "wanted"),
        [
            ([{"text": "a fjord", "answer_start": 32}], (["a fjord"], [32])),
            ([{"text": "a fjord", "answer_start": 0}], (["a fjord"], [32])),
            ({"text": ["a fjord"], "answer_start": [32]}, (["a fjord"], [32])),
            ("a fjord", (["a fjord"], [32])),
            ([], ([], [])),
        ],
    )
    def test_answers_in_every_form(self, answers: Any, wanted: Any) -> None:
        (example,) = _examples("qa", {**ROW, "answers": answers})
        assert (example.fields["answers"], example.fields["answer_starts"]) == wanted

    def test_an_answer_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(GroundupError, match="row 1: the answer 'a lake' does not stand in its context"):
            _examples("qa", {**ROW, "answers": [{"text": "a lake", "answer_start": 3}]})

    @pytest.mark.parametrize("most", [24, 32, 64])
    def test_labels_mark_the_answer_in_some_window(self, tokenizer: Any, most: int) -> None:
        (example,) = _examples(
            "qa", {**ROW, "context": SENTENCES[0] * 3 + ROW["context"], "answers": "fjord"}
        )
        task: Any = task_named("qa", Finetune(max_tokens=most))
        features = task.encode(example.fields, tokenizer, None)
        marked = []
        for ids, first, last in zip(*features.values(), strict=True):
            assert len(ids) <= most and ids[-1] == tokenizer.eos_token_id
            if first != len(ids) - 1:
                marked.append(tokenizer.decode(ids[first : last + 1]).strip())
        assert marked and set(marked) == {"fjord"}


TALK = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi."},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": "How are you?"},
    {"role": "assistant", "content": "Fine."},
]


class TestChat:
    def test_the_loss_is_on_what_the_assistant_says(self, tokenizer: Any) -> None:
        task = task_named("chat", Finetune(text_column="messages", max_tokens=512))
        task.prepare_tokenizer(tokenizer)
        (example,) = task.examples([Row({"messages": TALK}, "row 1")])
        features = task.encode(example.fields, tokenizer, None)
        (ids,), (labels,) = features["input_ids"], features["labels"]
        kept = tokenizer.decode([label for label in labels if label != IGNORED])
        assert kept == "Hello!<|end|>Fine.<|end|>"
        assert ids == tokenizer.apply_chat_template(TALK, return_dict=True)["input_ids"]

    def test_other_forms_of_conversation(self) -> None:
        shared = {"conversations": [{"from": "human", "value": "Hi."}, {"from": "gpt", "value": "Hello!"}]}
        pair = {"text": "Hi.", "label": "Hello!"}
        talks = [e.fields["messages"] for e in _examples("chat", shared, pair)]
        assert talks[0] == talks[1] == [TALK[1], TALK[2]]

    def test_a_conversation_without_an_answer_is_refused(self) -> None:
        with pytest.raises(GroundupError, match="no message of the assistant"):
            _examples("chat", {"messages": TALK[:2]}, text_column="messages")


def test_the_first_sentence() -> None:
    assert first_sentence(" One. Two.") == "One." and first_sentence("一。二。") == "一。"
    assert first_sentence("A line\n\nthen more.") == "A line"


def test_the_split_keeps_same_texts_together_and_every_class_in_training(tmp_path: Any) -> None:
    rows = [f"text {n % 60},{'rare' if n % 60 == 7 else n % 2}" for n in range(120)]
    (tmp_path / "a.csv").write_text("text,label\n" + "\n".join(rows))
    for seed in range(8):
        task = task_named("sentiment", Finetune(data=str(tmp_path / "a.csv")))
        parts = read_examples(task, share=0.2, seed=seed)
        texts = [{e.fields["text"] for e in part} for part in (parts.train, parts.held_out)]
        assert texts[0] and texts[1] and not texts[0] & texts[1]
        assert len(parts.train) + len(parts.held_out) + len(parts.validation) == 120
        assert {e.fields["label"] for e in parts.train} == {"0", "1", "rare"}


def test_one_article_is_split_by_its_contexts(tmp_path: Any) -> None:
    rows = [
        {"title": "T", "question": "Where?", "context": f"Oslo {n % 30}", "answers": "Oslo"}
        for n in range(60)
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    parts = read_examples(task_named("qa", Finetune(data=str(tmp_path / "a.json"))), share=0.1, seed=0)
    contexts = [{e.fields["context"] for e in part} for part in (parts.train, parts.held_out)]
    assert contexts[0] and contexts[1] and not contexts[0] & contexts[1]


def test_a_held_out_part_of_ones_own_is_taken_out_of_training(tmp_path: Any) -> None:
    (tmp_path / "a.csv").write_text("text,label\none,x\ntwo,y\nthree,x\n")
    (tmp_path / "b.csv").write_text("text,label\n TWO ,y\n")
    task = task_named("sentiment", Finetune(data=str(tmp_path / "a.csv"), eval_data=str(tmp_path / "b.csv")))
    with pytest.raises(GroundupError, match="training rows have the label 'x'"):
        read_examples(task, share=0.2, seed=0)


def test_what_is_settled_on_is_neither_trained_on_nor_measured_on(tmp_path: Any) -> None:
    rows = [{"text": f"film {n // 2} {'ab'[n % 2]}", "label": "ab"[n % 2]} for n in range(400)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = Finetune(data=str(tmp_path / "a.jsonl"))
    parts = read_examples(task_named("sentiment", settings), 0.1, 0)
    groups = [{e.group for e in part} for part in (parts.train, parts.held_out, parts.validation)]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 400
    assert 30 <= len(parts.validation) <= 45
    again = read_examples(task_named("sentiment", settings), 0.1, 0)
    assert again.validation == parts.validation
    other = read_examples(task_named("sentiment", settings), 0.1, 1)
    assert {e.group for e in other.validation} != groups[2]
    (tmp_path / "b.jsonl").write_text(
        "\n".join(json.dumps({"text": str(n), "summary": "x"}) for n in range(99))
    )
    settings = Finetune(data=str(tmp_path / "b.jsonl"), label_column="summary")
    assert read_examples(task_named("summarization", settings), 0.1, 0).validation == []
