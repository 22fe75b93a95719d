"""One page about several runs: what differs, who is ahead, curves over each other; what cannot be compared is said."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.artifacts import read_json, read_json_lines, write_json, write_json_lines
from pipeline.cli import main
from tests.browser import visit
from tests.report.own_script import without_script

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EVIL = "<script>alert(1)</script>"


def _changed(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Write every line of a file anew."""
    write_json_lines(file, [change(row) for row in read_json_lines(file)])


def _steady(entry: dict[str, Any]) -> dict[str, Any]:
    """As on a machine where a step takes a second."""
    return {**entry, "seconds": float(entry["step"])} if "seconds" in entry else entry


def _slower_and_worse(entry: dict[str, Any]) -> dict[str, Any]:
    if "loss" not in entry:
        return entry
    return {**entry, "loss": entry["loss"] + 1, "seconds": 1.01 * entry["seconds"]}


@pytest.fixture(scope="module")
def runs(whole_run: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three runs: one of the whole chain; one that learned worse and is always right; one on other examples."""
    place = tmp_path_factory.mktemp("compared")
    first, second, third = (place / name / "tiny" for name in ("first", "second", "third"))
    for copy in (first, second, third):
        shutil.copytree(whole_run / "tiny", copy)
        _changed(copy / "pretrain" / "log.jsonl", _steady)
    _changed(second / "pretrain" / "log.jsonl", _slower_and_worse)
    manifest = read_json(second / "pretrain" / "manifest.json")
    manifest["settings"]["pretrain"] |= {"learning_rate": 0.25, "prompts": [EVIL]}
    write_json(second / "pretrain" / "manifest.json", manifest)
    _changed(
        second / "finetune" / "sentiment" / "predictions.jsonl",
        lambda row: {**row, "prediction": row["label"], "correct": True},
    )
    _changed(
        third / "finetune" / "sentiment" / "predictions.jsonl", lambda row: {**row, "place": "elsewhere"}
    )
    shutil.rmtree(third / "finetune" / "chat")
    return [first, second, third]


@pytest.fixture(scope="module")
def file(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page about them."""
    file = tmp_path_factory.mktemp("page") / "compared.html"
    assert main(["report", *map(str, runs), "--out", str(file)]) == 0
    return file


def _section(file: Path, name: str) -> str:
    found = re.search(rf'<section id="{name}">.*?</section>', file.read_text("utf-8"), re.DOTALL)
    assert found is not None, name
    return found[0]


def _row(part: str, name: str) -> list[str]:
    """The cells of the last row that begins so."""
    *_, found = re.findall(rf'<tr><th scope="row">{re.escape(name)}</th>(.*?)</tr>', part)
    return [html.unescape(re.sub("<[^>]*>", " ", cell)).strip() for cell in re.findall(r"<td.*?</td>", found)]


def test_runs_of_one_name_are_told_apart_and_so_are_their_settings(file: Path) -> None:
    settings = _section(file, "settings")
    assert re.findall(r'<th scope="col"[^>]*>([^<]*)<', settings) == [
        "setting", "first/tiny", "second/tiny", "third/tiny",
    ]  # fmt: skip
    assert _row(settings, "pretrain: pretrain.learning_rate") == ["0.00781", "0.25", "0.00781"]
    assert "batch" not in settings, "what is the same everywhere is not told"
    page = without_script(file.read_text("utf-8"))
    assert "<script" not in page and html.escape(EVIL) in page


def test_every_run_is_set_against_the_first_on_the_same_examples(file: Path, runs: list[Path]) -> None:
    part = _section(file, "finetune/sentiment")
    accuracy = read_json(runs[0] / "finetune" / "sentiment" / "metrics.json")["model"]["accuracy"]
    score, ahead, interval, p, examples, verdict = _row(part, "second/tiny")
    assert (score, ahead) == ("1.000", f"{1 - accuracy:.3f}") and float(p) < 0.05
    low, high = map(float, interval.split(" to "))
    assert 0 < low <= 1 - accuracy <= high and int(examples) == 24
    assert verdict == "second/tiny is better"
    assert "third/tiny: " in part and "they were measured on other examples" in part
    assert _row(_section(file, "finetune/qa"), "third/tiny")[-1] == "no difference beyond chance"
    assert "third/tiny" not in _section(file, "finetune/chat")
    intervals = read_json(runs[0] / "finetune" / "sentiment" / "details.json")["model"]["intervals"]
    said = f"{intervals['accuracy']['low']:.3f} to {intervals['accuracy']['high']:.3f}"
    assert any(said in cell for cell in re.findall(r"<td.*?</td>", part))


def test_a_corpus_that_differs_makes_losses_incomparable(
    file: Path, runs: list[Path], tmp_path: Path
) -> None:
    assert "of different texts" not in _section(file, "pretrain")
    other = tmp_path / "other"
    shutil.copytree(runs[0], other)
    manifest = read_json(other / "pretrain" / "manifest.json")
    manifest["inputs"]["corpus"] = "0" * 16
    write_json(other / "pretrain" / "manifest.json", manifest)
    out = tmp_path / "page.html"
    assert main(["report", str(runs[0]), str(other), "--out", str(out)]) == 0
    assert "of different texts" in _section(out, "pretrain")


def test_curves_lie_over_each_other_and_are_pointed_at_together(
    file: Path, runs: list[Path], browser: Browser
) -> None:
    log = [json.loads(line) for line in (runs[0] / "pretrain" / "log.jsonl").read_text().splitlines()]
    losses = [entry["loss"] for entry in log if "loss" in entry]
    last = losses[-1]
    with visit(browser, file.as_uri()) as seen:
        svg = seen.page.locator("#pretrain figure").filter(has_text="Training loss").locator("svg:visible")
        assert svg.locator("path[data-curve]").count() == 3
        assert {"first/tiny", "second/tiny", "third/tiny"} <= set(svg.locator("text").all_text_contents())
        svg.focus()
        svg.press("End")
        said = seen.page.locator("#tip").inner_text()
        assert f"first/tiny: {last:.5g}" in said and f"second/tiny: {last + 1:.5g}" in said
        assert said.startswith(f"steps {len(losses)} · tokens ") and "seconds" not in said, "one was slower"
        seen.page.locator("#pretrain .along").get_by_label("seconds").check()
        svg = seen.page.locator("#pretrain figure").filter(has_text="Training loss").locator("svg:visible")
        svg.focus()
        svg.press("End")
        said = seen.page.locator("#tip").inner_text()
        assert f"second/tiny: {last + 1:.5g}" in said and f"first/tiny: {last:.5g} (seconds " in said
    with visit(browser, file.as_uri(), width=390, scheme="dark") as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert seen.page.locator("h1").count() == 1
        assert (seen.outside, seen.errors) == ([], [])


def test_without_a_name_the_page_lies_beside_the_runs(runs: list[Path], tmp_path: Path) -> None:
    assert main(["report", str(runs[0]), str(runs[2]), "--runs", str(tmp_path)]) == 0
    assert "first/tiny, third/tiny" in (tmp_path / "comparison" / "index.html").read_text("utf-8")


def test_what_cannot_be_compared_is_refused(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for named, said in (
        ([runs[0]], "it compares two runs or more, not 1"),
        ([runs[0], runs[0]], "a run is named twice"),
        ([runs[0], tmp_path / "nowhere"], "nowhere: no stage is finished there"),
    ):
        assert main(["report", *map(str, named), "--out", str(tmp_path / "page.html")]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()
