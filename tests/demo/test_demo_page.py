"""The page in a real browser: by keyboard alone, at two widths, with the worst that models and data can say."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import Visit, visit
from tests.demo.served import EVIL, evil_run, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TABS = ("Chat", "Sentiment", "Translation", "QA", "Next token")
_NAMELESS = """() => [...document.querySelectorAll('input, textarea, select, button, [role=listbox]')]
    .filter(e => e.offsetParent)
    .filter(e => ![e.ariaLabel, e.title, e.innerText, ...[...(e.labels || [])].map(l => l.innerText)]
        .some(name => name && name.trim())
        && !document.getElementById(e.getAttribute('aria-labelledby')))
    .map(e => e.outerHTML.slice(0, 200))"""
"""What a person could not be told the name of."""
_PALE = """() => {
    const bright = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(n => n / 255)
        .map(n => n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4)
        .reduce((sum, n, i) => sum + n * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = e => {
        for (; e; e = e.parentElement) {
            const colour = getComputedStyle(e).backgroundColor;
            if (!/, 0\\)$/.test(colour)) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const contrast = e => {
        const [a, b] = [bright(getComputedStyle(e).color), bright(behind(e))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    };
    return [...document.querySelectorAll('button, label span, [data-testid=block-info] ~ div, h1, p, li, code')]
        .filter(e => e.offsetParent && e.innerText.trim() && contrast(e) < 4.5)
        .map(e => [contrast(e).toFixed(2), e.outerHTML.slice(0, 150)]);
}"""
"""Text whose contrast is less than WCAG 2.2 asks for (1.4.3)."""
_FOCUSED = """() => { const e = document.activeElement; return [(e.innerText || '').trim(),
    [...(e.labels || [])].map(l => l.innerText).join(' ').trim()] }"""


@pytest.fixture(scope="module")
def runs(whole_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs directory with the worst run."""
    return evil_run(whole_run, tmp_path_factory.mktemp("demo") / "runs")


@pytest.fixture(scope="module")
def address(runs: Path, tiny: Path) -> Iterator[str]:
    """Where its page is."""
    with served(runs, tiny) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Visit]:
    """The page, loaded; it has asked nobody else, run nothing of what it shows, and had no error."""
    with visit(browser, address) as found:
        found.page.set_default_timeout(60_000)
        found.page.get_by_role("tab", name="Chat").wait_for()
        yield found
        assert found.outside == [] and found.errors == []
        assert found.page.evaluate("window.hit") is None


def _press_until(page: Page, wanted: str) -> None:
    """Press Tab until what has this name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if any(name.split("\n")[0] == wanted for name in page.evaluate(_FOCUSED)):
            return
    raise AssertionError(f"the keyboard does not come to '{wanted}'")


def _open(page: Page, tab: str) -> None:
    """By the mouse, also where a narrow window has put the tab away."""
    button = page.get_by_role("tab", name=tab, exact=True).locator("visible=true")
    if not button.count():
        page.locator(".overflow-menu > button").click()
        button = page.locator(".overflow-dropdown button", has_text=tab)
    button.first.click()


def _value(page: Page, label: str) -> str:
    """Of the field that is seen, once it has one."""
    field = page.get_by_label(label).locator("visible=true").first
    field.wait_for()
    page.wait_for_function("field => field.value !== ''", arg=field.element_handle())
    return field.input_value()


@pytest.mark.parametrize(
    ("tab", "field", "words", "button", "answer"),
    [
        ("Sentiment", "Text", "A warm film", "Classify", "The model says"),
        ("Translation", "Text", "Open the film %(film)s", "Translate", "The model writes"),
        ("Chat", "Your message", "Hello", "Send", "What the model remembers"),
    ],
)
def test_a_tab_by_the_keyboard_alone(
    page: Visit, tab: str, field: str, words: str, button: str, answer: str
) -> None:
    keys = page.page.keyboard
    _press_until(page.page, tab)
    keys.press("Enter")
    _press_until(page.page, field)
    keys.type(words)
    _press_until(page.page, button)
    keys.press("Enter")
    said = _value(page.page, answer)
    assert "%(film)s" in said or tab != "Translation", "the placeholder is kept"
    assert "1 exchange remembered" in said or tab != "Chat"


def test_a_tab_that_has_no_room_by_the_keyboard_alone(browser: Browser, address: str) -> None:
    with visit(browser, address, 390) as found:
        at = found.page
        at.get_by_role("tab", name="Chat").wait_for()
        assert not at.get_by_role("tab", name="Translation", exact=True).locator("visible=true").count()
        for _ in range(20):
            at.keyboard.press("Tab")
            if at.evaluate("document.activeElement.closest('.overflow-menu') !== null"):
                break
        at.keyboard.press("Enter")
        _press_until(at, "Translation")
        at.keyboard.press("Enter")
        _press_until(at, "Text")


def test_next_tokens_by_the_keyboard_alone(page: Visit) -> None:
    keys = page.page.keyboard
    _press_until(page.page, "Next token")
    keys.press("Enter")
    _press_until(page.page, "Text")
    _press_until(page.page, "Next tokens")
    keys.press("Enter")
    page.page.get_by_role("button", name="Add the chosen token").wait_for()
    text = page.page.get_by_label("Text", exact=True).locator("visible=true")
    assert text.input_value() == "The film"
    _press_until(page.page, "Add the chosen token")
    keys.press("Enter")
    page.page.wait_for_function("field => field.value !== 'The film'", arg=text.element_handle())
    assert text.input_value().startswith("The film")


def test_an_answer_is_marked_in_its_context(page: Visit) -> None:
    _open(page.page, "QA")
    page.page.get_by_label("Question").fill("How much does the film weigh?")
    context = f"{EVIL} The film number 4 was found in a small town. It weighs 7 grams. {EVIL}"
    page.page.get_by_label("Context").fill(context)
    page.page.get_by_role("button", name="Answer", exact=True).click()
    said, listed = _value(page.page, "Answer (probability)"), _value(page.page, "The likeliest answers")
    assert "no answer in this text" in listed and re.search(r"\(0\.\d{3}\)$", said)
    shown = page.page.locator(".textfield").inner_text()
    assert "".join(shown.split()).startswith("".join(EVIL.split()))


def test_what_models_data_and_people_say_stays_text(page: Visit) -> None:
    at = page.page
    at.get_by_label("Your message").fill("<img src=x onerror=window.hit=1>")
    at.get_by_role("button", name="Send").click()
    at.get_by_role("log").get_by_text("<script>window.hit=1</script>").first.wait_for()
    assert "<img src=x onerror=window.hit=1>" in at.get_by_role("log").inner_text()
    assert "1 exchange remembered" in _value(at, "What the model remembers"), "the answer is whole"
    at.get_by_role("button", name="How it answers").locator("visible=true").click()
    at.get_by_label("Seed").locator("visible=true").fill("<img src=x onerror=window.hit=1>")
    at.get_by_label("Your message").fill("Hi")
    at.get_by_role("button", name="Send").click()
    assert "<img src=x onerror=window.hit=1>: it is no whole number" in _value(at, "Note")

    _open(at, "Sentiment")
    at.get_by_role("button", name="Fill in a held-out example").locator("visible=true").click()
    assert _value(at, "Text").endswith(EVIL)
    at.get_by_role("button", name="Classify").click()
    _value(at, "The model says")
    assert (
        EVIL
        in at.locator(".confidence-set").all_inner_texts()[0]
        + at.locator(".confidence-set").all_inner_texts()[1]
    ), "a bar's name is the label's"


def test_an_answer_can_be_stopped_and_another_follows(page: Visit) -> None:
    from playwright.sync_api import expect

    at = page.page
    _open(at, "Next token")
    text = at.get_by_label("Text").locator("visible=true")
    before = text.input_value()
    at.get_by_role("button", name="Continue", exact=True).click()
    expect(text).not_to_have_value(before, timeout=60_000)
    at.get_by_role("button", name="Stop").locator("visible=true").click()
    at.get_by_role("button", name="Next tokens").click()
    at.get_by_role("button", name="Add the chosen token").wait_for()


def test_an_explanation_says_how_far_it_can_be_believed(page: Visit) -> None:
    at = page.page
    _open(at, "Sentiment")
    at.get_by_label("Text").locator("visible=true").fill(f"A warm film {EVIL}")
    at.get_by_role("button", name="Why did it say that?").locator("visible=true").click()
    told = _value(at, "How far the colours can be believed")
    assert "random order" in told.lower() and "Explained: the class" in told and "deletion" in told
    assert "integrated-gradients: '" in told and "completeness gap" in told
    shown = at.locator(".textfield").locator("visible=true").first.inner_text()
    assert "".join(EVIL.split()) in "".join(shown.split())


def test_empty_inputs_are_told(page: Visit) -> None:
    _open(page.page, "Sentiment")
    page.page.get_by_role("button", name="Classify").click()
    assert (
        _value(page.page, "Note")
        == "task 'sentiment': it reads a text, and none is given; write one (--text)"
    )


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_fits_and_everything_has_a_name(
    browser: Browser, address: str, width: int, scheme: Any
) -> None:
    with visit(browser, address, width, scheme) as found:
        at = found.page
        at.get_by_role("tab", name="Chat").wait_for()
        for tab in TABS:
            _open(at, tab)
            for button in at.get_by_role("button", name=re.compile("^How it")).locator("visible=true").all():
                button.click()
            assert at.evaluate("document.documentElement.scrollWidth") <= width, tab
            assert at.evaluate(_NAMELESS) == [], tab
            at.mouse.move(1, 1)
            assert at.evaluate(_PALE) == [], tab
        assert at.get_by_text("make finetune TASK=summarization").is_visible()
        assert found.outside == [] and found.errors == []


def _status(address: str, **options: Any) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, **options), timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)


def test_no_file_can_be_fetched_or_sent(address: str, tiny: Path, runs: Path) -> None:
    assert _status(address) == 200
    inside = runs / "tiny" / "pretrain" / "config.json"
    for file in ("/etc/hostname", str(tiny), str(inside), "..%2f..%2fetc%2fhostname", "http://127.0.0.1/"):
        for way in ("file=", "file/", "proxy=", "stream/"):
            assert _status(f"{address}gradio_api/{way}{file}") == 404, (way, file)
    assert _status(f"{address}static/..%2f..%2f..%2froutes.py") == 404
    for upload in ("gradio_api/upload", "upload"):
        assert _status(address + upload, data=b"x", method="POST") == 404
    for page in (
        "gradio_api/info",
        "gradio_api/openapi.json",
        "docs",
        "monitoring",
        "gradio_api/run/predict",
    ):
        assert _status(address + page) == 404, page


def test_only_this_machine_and_its_own_name_are_answered(address: str) -> None:
    port = int(address.rstrip("/").rsplit(":", 1)[1])
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", port), timeout=5):
        pass
    assert _status(address, headers={"Host": f"films.example:{port}"}) == 421
    assert _status(address, headers={"Host": f"localhost:{port}"}) == 200
    with urllib.request.urlopen(address, timeout=20) as answer:
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
