"""What data, models and recipes say is text on the page and in the card, and nothing that a browser would run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from pipeline.artifacts import Artifact, write_json, write_text
from pipeline.publish.card import model_card
from pipeline.publish.markdown import address, code, escaped, fenced
from pipeline.recipe_files import load_recipe
from pipeline.report.page import write_report
from pipeline.stages import Run, _finish
from tests.browser import visit
from tests.publish.finished_run import save
from tests.report.own_script import without_script

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SCRIPT = "<script>alert(1)</script>"
EVIL = f"\"'>{SCRIPT}<img src=x onerror=alert(2)>|a|``` `b`\n\n# *c* [d](javascript:alert(3)) __e__ <!-- &lt; --> -->"
IN_A_PATH = EVIL.replace("</script>", "<script>").replace("\n", " ")
"""The same without what a file's name cannot have."""


class Elements(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.names.append("!--")


def _is_harmless(page: str) -> Elements:
    found = Elements(page)
    assert not {"script", "img", "iframe", "object", "embed", "form", "base", "!--"} & set(found.names)
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    links = [value for name, value in found.attributes if name in ("href", "src", "action", "xlink:href")]
    assert all(value.startswith(("#", "https://")) for value in links), links
    return found


def _log(*rows: Mapping[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _tables(rows: Mapping[str, Any]) -> dict[str, Any]:
    """Rows and columns of a table, one of each with a name of the worst."""
    return {"model": {**rows, EVIL: 0.5}, EVIL: {**rows, EVIL: 0.25}}


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run in which all that can be named, read or written by a model is the worst."""
    rows = tmp_path_factory.mktemp("rows") / f"{IN_A_PATH}.csv"
    rows.write_bytes((tiny.parent / "reviews.csv").read_bytes())
    declared = load_recipe(str(tiny))
    sentiment = dataclasses.replace(
        declared.tasks["sentiment"], data=str(rows), label_column=EVIL, label_names=(EVIL, "positive")
    )
    chat = dataclasses.replace(declared.tasks["chat"], prefix=EVIL)
    recipe = dataclasses.replace(
        declared,
        name=IN_A_PATH,
        corpus=dataclasses.replace(declared.corpus, sources=(str(rows),), text_column=EVIL),
        pretrain=dataclasses.replace(declared.pretrain, prompts=(EVIL,)),
        tasks={"sentiment": sentiment, "chat": chat},
    )

    def corpus(out: Artifact) -> Any:
        write_json(out.path / "dropped.json", {EVIL: [{"text": EVIL, "source": EVIL, "place": EVIL}]})
        return {"documents": {"read": 9, "kept": 8, EVIL: 1}, "sources": {EVIL: 9}, "languages": {EVIL: 9}}

    def pretrain(out: Artifact) -> Any:
        save(out, "AutoModelForCausalLM", {})
        samples = [{"prompt": EVIL, "text": EVIL}]
        write_text(
            out.path / "log.jsonl", _log({"step": 1, "loss": 2.0, "energy_from": EVIL, "samples": samples})
        )
        return _tables({"bits_per_byte": 1.5, "loss": 2.0, "parameters": 9, "watt_hours": 1.0})

    def finetune(out: Artifact) -> Any:
        save(out, "AutoModelForSequenceClassification", {}, id2label={0: EVIL, 1: "positive"})
        told = {
            "place": EVIL, "text": EVIL, "label": EVIL, "prediction": EVIL, "correct": False, EVIL: EVIL,
            "turns": [{"role": EVIL, "content": EVIL}], "likely": [{"text": EVIL, "probability": 0.5}],
        }  # fmt: skip
        write_text(out.path / "predictions.jsonl", _log(told))
        write_text(out.path / "log.jsonl", _log({"step": 1, "loss": 2.0, "run": "model"}))
        details = {
            "per_class": {EVIL: {"f1": 0.5}, "positive": {"f1": 0.5}}, "confusion": [[1, 2], [3, 4]], EVIL: EVIL,
            "signatures": {EVIL: EVIL.replace("\n", " ")}, "note": EVIL.replace("\n", " "), "tokens": [EVIL],
            "report": f"{EVIL}\n{EVIL}",
        }  # fmt: skip
        write_json(out.path / "details.json", {"model": details})
        return _tables({"accuracy": 0.5, "macro_f1": 0.5, "loss": 1.0, "examples": 9})

    run = Run(recipe, tmp_path_factory.mktemp("runs"))
    works = {"corpus": corpus, "tokenizer": lambda out: _tables({"vocabulary": 400}), "pretrain": pretrain}
    for name, stage in run.stages().items():
        _finish(run, dataclasses.replace(stage, work=works.get(name, finetune)))
    for name in run.stages():
        manifest = run.artifact(name).manifest()
        manifest["hardware"] |= {"cpu": EVIL}
        write_json(run.artifact(name).path / "manifest.json", {**manifest, "versions": {EVIL: EVIL}})
    return run


def test_nothing_that_was_read_or_said_is_markup_on_the_page(run: Run) -> None:
    page = write_report(run).read_text("utf-8")
    found = _is_harmless(without_script(page))
    assert found.names.count("svg") >= 6, "the charts are there too"
    assert found.text.count(SCRIPT) > 20, "and what was planted stands there as text"


def test_nothing_that_was_read_or_said_runs_in_a_browser(run: Run, browser: Browser) -> None:
    address = write_report(run).as_uri()
    with visit(browser, address) as seen:
        seen.page.locator("#pretrain .drawing:visible svg").first.hover()
        assert SCRIPT in seen.page.locator("#sentiment .spot").nth(1).evaluate("mark => mark.dataset.said")
        seen.page.locator("#sentiment .spot").nth(1).hover()
        assert SCRIPT in seen.page.locator("#tip").inner_text()
        assert seen.page.locator("script").count() == 1 and seen.page.locator("img").count() == 0
        assert (seen.outside, seen.errors) == ([], [])
        seen.page.set_viewport_size({"width": 390, "height": 900})
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390
        seen.page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {text: 'alert(4)'}))"
        )
        (refused,) = seen.errors
        assert "Content Security Policy" in refused


@pytest.mark.parametrize("stage", ["pretrain", "finetune/sentiment", "finetune/chat"])
def test_nothing_that_was_read_or_said_is_markup_in_the_card(run: Run, stage: str) -> None:
    card = ModelCard(model_card(run, stage, "user/films"))
    reader = MarkdownIt("commonmark").enable("table")
    setattr(reader, "validateLink", lambda address: True)  # noqa: B010 - it would take away what others let run
    page = reader.render(card.text)
    assert page.count("<details>") == 1, "this markup is the card's own, and there it is let through"
    found = _is_harmless(page)
    assert found.text.count(SCRIPT) > 5
    assert [n for n in found.names if n in ("h1", "h2", "h3")] == ["h1", *["h2"] * 5], (
        "no heading was slipped in"
    )
    assert {"em"} & set(found.names) == set()
    rows = [line for line in card.text.splitlines() if line.startswith("| **model**")]
    assert len(rows) == 1 and found.names.count("table") == 4


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a|b", r"a\|b"),
        ("max_tokens and _this_", r"max_tokens and \_this\_"),
        ("two\nlines  here", "two lines here"),
        ("<b> & `c` $d$ ~e~ [f]", r"&lt;b&gt; &amp; \`c\` \$d\$ \~e\~ \[f\]"),
        (0.25, "0.25"),
    ],
)
def test_text_is_escaped_where_it_would_mean_something(value: Any, text: str) -> None:
    assert escaped(value) == text and escaped(escaped(value)) == text


def test_code_stays_between_its_marks() -> None:
    assert code("a") == "`a`" and code("`a``") == "``` `a`` ```"
    assert fenced("a\n````\n", "bash") == "`````bash\na\n````\n`````"
    assert address("https://a.org/x) <b>") == "https://a.org/x%29%20%3Cb%3E"
