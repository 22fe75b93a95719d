"""The page about a run in a real browser: what it loads, says, shows and prints, on wide and narrow screens."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from pipeline.artifacts import PLAN, read_json_lines, read_log
from pipeline.recipe_files import load_recipe
from pipeline.report.page import write_report
from pipeline.stages import Run
from tests.browser import Visit, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

SECTIONS = (
    "Chain", "Pre-training", "Sentiment", "Translation", "Qa", "Summarization", "Chat", "Corpus", "Tokenizer",
    "Provenance",
)  # fmt: skip


@pytest.fixture(scope="module")
def address(tiny: Path, whole_run: Path) -> str:
    """Of the page about a run of the whole chain."""
    run = Run(load_recipe(str(tiny)), whole_run)
    (run.path / PLAN).unlink(missing_ok=True)  # another test may have planned it
    return write_report(run).as_uri()


@pytest.fixture(scope="module")
def page(browser: Browser, address: str) -> Iterator[Visit]:
    """The page in a wide window."""
    with visit(browser, address) as seen:
        yield seen


def _figure(page: Visit, section: str, caption: str) -> Locator:
    return page.page.locator(f"#{section} figure").filter(has_text=caption).first


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_asks_for_nothing_and_fits(
    browser: Browser, address: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    with visit(browser, address, width, scheme) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert (seen.outside, seen.errors) == ([], [])
        requests = seen.page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
        assert requests == []
        dark = seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
        assert dark == (scheme == "dark")


def test_pointing_at_a_curve_tells_what_the_log_says(page: Visit, whole_run: Path) -> None:
    log = [entry for entry in read_log(whole_run / "tiny" / "pretrain" / "log.jsonl") if "loss" in entry]
    svg = _figure(page, "pretrain", "Loss").locator("svg:visible")
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    assert box is not None
    for share, entry in ((0.999, log[-1]), (0.01, log[0])):
        page.page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        said = page.page.locator("#tip").inner_text()
        assert f"steps {entry['step']} · tokens {entry['tokens']:,} · " in said
        assert f"training: {entry['loss']:.5g}" in said
    page.page.mouse.move(1, 1)
    assert page.page.locator("#tip").is_hidden() and svg.locator(".pointer line").count() == 0


def test_a_curve_is_followed_by_the_keyboard_too(page: Visit, whole_run: Path) -> None:
    log = [entry for entry in read_log(whole_run / "tiny" / "pretrain" / "log.jsonl") if "loss" in entry]
    svg = _figure(page, "pretrain", "Loss").locator("svg:visible")
    svg.focus()
    for key, entry in (("Home", log[0]), ("ArrowRight", log[1]), ("End", log[-1]), ("ArrowLeft", log[-2])):
        svg.press(key)
        assert f"training: {entry['loss']:.5g}" in page.page.locator("#tip").inner_text(), key
    svg.press("Escape")
    assert page.page.locator("#tip").is_hidden()


def test_a_finger_that_is_lifted_leaves_the_numbers_there(browser: Browser, address: str) -> None:
    with browser.new_context(has_touch=True, viewport={"width": 390, "height": 900}) as context:
        page = context.new_page()
        page.goto(address)
        svg = page.locator("#pretrain .drawing:visible svg").first
        svg.tap()
        assert "training: " in page.locator("#tip").inner_text() and svg.locator(".pointer line").count() == 1
        page.locator("#pretrain h2").tap()
        assert page.locator("#tip").is_hidden() and svg.locator(".pointer line").count() == 0


def test_bars_and_cells_tell_their_numbers(page: Visit) -> None:
    for caption, said in (("Accuracy", "model: "), ("Confusion", "true negative, predicted negative: ")):
        spot = _figure(page, "sentiment", caption).locator(".spot").first
        spot.hover()
        assert page.page.locator("#tip").inner_text().startswith(said)


def test_one_choice_draws_all_curves_along_another_quantity(page: Visit) -> None:
    def label(section: str = "pretrain", caption: str = "Learning rate") -> str:
        words = _figure(page, section, caption).locator("svg:visible text")
        return " · ".join(words.all_text_contents())

    assert re.search(r"\bstep\b", label())
    page.page.locator("#pretrain .along").get_by_label("seconds").check()
    assert "seconds of training" in label() and not re.search(r"\bstep\b", label())
    assert page.page.locator("#chat .along").get_by_label("seconds").is_checked()
    assert "seconds of training" in label("chat", "Training loss")
    page.page.locator("#chat .along").get_by_label("steps").check()
    assert re.search(r"\bstep\b", label())


def test_filters_hide_what_does_not_fit(page: Visit, whole_run: Path) -> None:
    rows = read_json_lines(whole_run / "tiny" / "finetune" / "sentiment" / "predictions.jsonl")
    part = page.page.locator("#sentiment .examples").filter(has_text="Held-out examples")
    seen = part.locator(".example:visible")
    part.get_by_label("show").select_option("wrong")
    wrong = [row for row in rows if not row["correct"]]
    assert seen.count() == len(wrong) > 0
    part.get_by_label("class").select_option("negative")
    assert seen.count() == sum(row["label"] == "negative" for row in wrong)
    part.get_by_label("show").select_option("")
    part.get_by_label("class").select_option("")
    part.get_by_label("with").fill(rows[3]["text"][-12:].upper())
    assert seen.count() == 1 and rows[3]["text"] in seen.inner_text()
    part.get_by_label("with").fill("nowhere to be found")
    assert seen.count() == 0 and part.locator("output").inner_text() == f"0 of {len(rows)}"
    part.get_by_label("with").fill("")
    assert seen.count() == len(rows)


def test_it_says_the_same_without_its_script(browser: Browser, address: str, whole_run: Path) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(address)
        assert (
            page.locator(".along:visible, .filters:visible, .drawing[data-along=tokens]:visible").count() == 0
        )
        assert page.locator("#pretrain .drawing[data-along=steps]:visible svg").count() == 6
        assert page.locator("#pretrain svg title").count() > 0
        page.locator("#pretrain figure").first.locator("summary").click()
        log = [e for e in read_log(whole_run / "tiny" / "pretrain" / "log.jsonl") if "loss" in e]
        assert page.get_by_role("cell", name=f"{log[-1]['loss']:.5g}", exact=True).first.is_visible()


def test_all_sections_are_printed(page: Visit, tmp_path: Path) -> None:
    page.page.emulate_media(media="print")
    page.page.set_viewport_size({"width": 718, "height": 1000})  # A4 without margins of a centimetre
    printed = page.page.locator("h2:visible").all_inner_texts()
    wide = page.page.evaluate("document.documentElement.scrollWidth")
    page.page.emulate_media(media="screen")
    page.page.set_viewport_size({"width": 1280, "height": 900})
    assert printed == list(SECTIONS) and wide <= 718
    assert page.page.pdf(path=tmp_path / "page.pdf").startswith(b"%PDF")


def test_it_is_built_for_readers_who_cannot_see_it(page: Visit) -> None:
    told = page.page
    assert told.locator("h1").count() == 1 and told.locator("html[lang=en]").count() == 1
    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert told.get_by_role(landmark).count() == 1, landmark
    assert told.locator("svg:not([aria-label])").count() == told.locator("th:not([scope])").count() == 0
    names = told.locator("svg[role=img]").evaluate_all(
        "charts => charts.map(c => c.getAttribute('aria-label'))"
    )
    assert len(names) > 40 and all(len(name) > 10 for name in names)
    levels = told.locator("h1, h2, h3").evaluate_all("titles => titles.map(t => Number(t.tagName[1]))")
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_stand_out_from_what_is_below_them(
    browser: Browser, address: str, scheme: Literal["light", "dark"]
) -> None:
    with visit(browser, address, scheme=scheme) as seen:
        found = {
            name: _luminance(
                seen.page.evaluate(f"getComputedStyle(document.body).getPropertyValue('--{name}')")
            )
            for name in (
                "paper",
                "card",
                "ink",
                "soft",
                "warn",
                "warn-paper",
                *(f"series-{n}" for n in range(1, 8)),
            )
        }
    text = [(one, below) for one in ("ink", "soft", "series-1", "warn") for below in ("paper", "card")]
    for one, below in [*text, ("warn", "warn-paper"), ("ink", "warn-paper")]:
        assert _contrast(found[one], found[below]) >= 4.5, (one, below)  # WCAG 2.2, 1.4.3
    for number in range(1, 8):
        assert _contrast(found[f"series-{number}"], found["card"]) >= 3, number  # 1.4.11


def _luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` or ``#rgb`` (WCAG 2.2)."""
    digits = colour.strip().removeprefix("#")
    pairs = re.findall("..", digits) if len(digits) == 6 else [digit * 2 for digit in digits]
    parts = [int(pair, 16) / 255 for pair in pairs]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
