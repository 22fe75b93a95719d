"""The page of a lineage in a real browser, and the picture as a file of its own."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING, Literal

import pytest

from pipeline.lineage.picture import picture
from pipeline.lineage.results import results
from pipeline.recipe_files import load_recipe
from pipeline.report.charts import Dot, Panel, panels
from pipeline.report.render import standalone
from pipeline.report.tables import number
from pipeline.stages import Run
from tests.browser import visit
from tests.lineage.conftest import Climbed

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

_SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_asks_for_nothing_and_fits(
    browser: Browser, climbed: Climbed, width: int, scheme: Literal["light", "dark"]
) -> None:
    with visit(browser, (climbed.path / "lineage" / "index.html").as_uri(), width, scheme) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert (seen.outside, seen.errors) == ([], [])
        titles = ["Scores", "What it took", "What each step bought", "The rungs"]
        assert seen.page.locator("h2:visible").all_inner_texts() == titles


def test_it_tells_the_numbers_of_the_rungs(browser: Browser, climbed: Climbed) -> None:
    told = json.loads((climbed.path / "lineage" / "lineage.json").read_text())
    with visit(browser, (climbed.path / "lineage" / "index.html").as_uri()) as seen:
        assert seen.page.locator("#scores figure").count() == 4
        spots = seen.page.locator("#scores svg").first.locator(".spot")
        assert spots.count() == 4 * 3
        spots.nth(0).hover()
        assert seen.page.locator("#tip").inner_text().startswith("bert (2018): no bits per byte, as a masked")
        spots.nth(2).hover()
        bits = told["rungs"][2]["scores"]["pretrain"]["value"]
        assert seen.page.locator("#tip").inner_text() == f"llama (2023): bits per byte {number(bits)}"
        for rung in told["rungs"]:
            row = seen.page.locator("#scores tbody tr").filter(has_text=rung["name"]).inner_text()
            assert all(number(score["value"]) in row for score in rung["scores"].values())
        bought = seen.page.locator("#bought tbody").inner_text()
        assert all(f"{step['gain']:+.3f}" in bought for step in told["steps"])


def test_the_picture_stands_alone_in_light_and_dark(lineage: Path, climbed: Climbed) -> None:
    found = results(Run(load_recipe(str(lineage)), climbed.path.parent), ["sentiment", "translation", "chat"])
    svg = ElementTree.fromstring(standalone(picture(found)))
    assert svg.tag == f"{_SVG}svg" and svg.attrib["aria-label"].startswith(
        "What each step bought: bits per byte"
    )
    style = svg.findtext(f"{_SVG}style") or ""
    assert "--series-1" in style and "prefers-color-scheme: dark" in style
    words = [text.text for text in svg.iter(f"{_SVG}text")]
    assert {
        "bert 2018",
        "gpt2 2019",
        "llama 2023",
        "bits per byte ↓",
        "sentiment macro F1 ↑",
        "chat loss ↓",
    } <= set(words)


def test_a_panel_has_gaps_where_there_is_no_value() -> None:
    shown = [
        Panel("F1 ↑", [Dot(0.25, "a: 0.25", 0.2, 0.3), "b writes no text", Dot(0.5, "c: 0.5")]),
        Panel("nothing", ["a", "b", "c"]),
    ]
    svg = ElementTree.fromstring(panels("Scores", ["a", "b", "c"], shown))
    words = [text.text for text in svg.iter("text")]
    assert {"F1 ↑", "0.250", "0.500", "–", "a", "b", "c"} <= set(words) and "nothing" not in words
    assert [title.text for title in svg.iter("title")][1:] == ["a: 0.25", "b writes no text", "c: 0.5"]
    assert len(list(svg.iter("circle"))) == 2 and "F1 ↑: a 0.250, c 0.500" in svg.attrib["aria-label"]
    assert panels("Scores", ["a"], [Panel("nothing", ["a"])]) == ""
