"""The verb explain, on every model of a small run."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import Artifact, read_json_lines
from pipeline.cli import main
from pipeline.recipe_files import load_recipe
from pipeline.report.faithfulness import faithfulness_verdicts
from pipeline.report.page import write_report
from pipeline.report.tables import interval, number
from pipeline.stages import Run

EVIL = 'A <script>alert(1)</script> film & "it" was \x1b[31m wonderful, é 好 ☕'
QUICK = ("--steps", "4", "--orders", "3", "--fractions", "4")


def _explain(tiny: Path, runs: Path, *words: str | Path) -> int:
    return main(["explain", "--recipe", str(tiny), "--runs", str(runs), *QUICK, *map(str, words)])


class _Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str | None] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href") or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_text_is_explained_on_the_terminal_and_on_a_page(
    tiny: Path, whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert _explain(tiny, whole_run, "--task", "sentiment", "--text", EVIL, "--out", page) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    first = r"(integrated-gradients|attention-rollout) is .*than a random order of the tokens"
    assert re.match(first, lines[0], re.IGNORECASE), "first whether to believe it"
    assert "Explained: the class '" in said and "completeness gap" in said and "3 random orders" in said
    assert re.search(r"wonderful(\[[+-]\d|,)", said) and "\x1b" not in said
    found = _Page(page.read_text("utf-8"))
    assert not {"script", "img", "link"} & set(found.names) and not found.links
    assert found.text.count("<script>alert(1)</script>") == 2, "as text, once for each method"
    assert found.text.upper().count("THAN A RANDOM ORDER") == 2, "no picture without its number"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--task", "sentiment", "--text", "A dull film.", "--target", "positive"), "class 'positive'"),
        (("--task", "translation", "--text", "Open the film %(film)s", "--token", "1"), "token 1 of"),
        (("--task", "summarization", "--text", "The film was moving. It was slow."), "the written text"),
        (("--task", "chat", "--text", "Did you like the film?", "--target", "Yes."), "'Yes.'"),
        (
            (
                "--task",
                "qa",
                "--question",
                "How much?",
                "--context",
                "It weighs 3 grams.",
                "--target",
                "3 grams",
            ),
            "the answer '3 grams'",
        ),
        (("--text", "The film in the"), "token"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_every_kind_of_model_is_explained(
    tiny: Path, whole_run: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    assert _explain(tiny, whole_run, *words) == 0
    said = capsys.readouterr().out
    assert told in said and "integrated-gradients" in said and "attention-rollout" in said


def test_the_surest_mistakes_are_explained(
    tiny: Path, whole_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _explain(tiny, whole_run, "--task", "qa", "--worst", "2", "--method", "attention-rollout") == 0
    said = capsys.readouterr().out
    worst = read_json_lines(whole_run / "tiny" / "finetune" / "qa" / "worst.jsonl")[:2]
    assert all(line["place"] in said for line in worst) and said.count("Explained: ") == 2
    assert "integrated-gradients" not in said


def test_held_out_examples_become_an_artefact(
    tiny: Path, whole_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ("--task", "sentiment", "--held-out", "6")
    assert _explain(tiny, whole_run, *wanted) == 0
    said = capsys.readouterr().out
    assert "random" in said and "A RANDOM ORDER" in said.upper()
    made = Artifact(whole_run / "tiny" / "explain" / "sentiment")
    rows, manifest = made.metrics(), made.manifest()
    assert list(rows) == ["integrated-gradients", "attention-rollout", "random"]
    assert all(0 < row["deletion"] < 1 and row["examples"] == 6 for row in rows.values())
    assert rows["random"]["deletion"] == rows["random"]["insertion"]
    assert set(made.details()["attention-rollout"]["against"]) == {"deletion", "insertion"}
    assert manifest["complete"] and list(manifest["inputs"]) == ["finetune/sentiment"]
    lines = read_json_lines(made.path / "predictions.jsonl")
    mean = sum(line["random"] for line in lines) / 6
    assert rows["random"]["deletion"] == pytest.approx(mean)
    assert _explain(tiny, whole_run, *wanted) == 0
    assert made.manifest() == manifest, "what was measured is not measured again"
    page = write_report(Run(load_recipe(str(tiny)), whole_run)).read_text()
    area, verdicts = rows["attention-rollout"]["insertion"], faithfulness_verdicts(made.details())
    ends = interval(made.details()["attention-rollout"], "insertion")
    assert 'id="explained"' in page and f"{number(area)} " in page and f">{ends}<" in page
    assert len(verdicts) == 2 and all(one in page for one in verdicts)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--task", "sentiment", "--text", "A film.", "--pair", "Another."),
            "the task 'sentiment' reads no pair",
        ),
        (
            ("--task", "qa", "--question", "Who?"),
            "it reads a context, and none is given; write one (--context)",
        ),
        (("--task", "sentiment", "--text", "A film.", "--target", "positve"), "did you mean 'positive'?"),
        (("--task", "qa", "--question", "Who?", "--context", "It.", "--target", "she"), "no such words"),
        (("--task", "chat", "--text", "Hello", "--target", "Yes", "--token", "99"), "name one of these"),
        (("--task", "sentiment", "--text", "A film.", "--method", "lime"), "there is no such method"),
        (("--task", "sentiment", "--text", "A film.", "--steps", "0"), "--steps: 0 is too few"),
        (
            (
                "--task",
                "all",
            ),
            "one model is explained at a time",
        ),
        ((), "this model has no list of its mistakes"),
        (("--held-out", "3"), "this model has no held-out examples"),
    ],
)
def test_what_cannot_be_explained_is_one_sentence(
    tiny: Path, whole_run: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    assert _explain(tiny, whole_run, *words) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1


def test_it_says_what_is_missing_without_captum(
    tiny: Path, whole_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert _explain(tiny, whole_run, "--task", "sentiment", "--text", "A film.") == 2
    assert "pip install 'groundup[explain]'" in capsys.readouterr().err
