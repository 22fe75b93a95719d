"""Charts: what they say to those who cannot see them, few points, odd values, text as text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from pipeline.report.charts import bars, lines, matrix


def _texts(chart: str) -> list[str]:
    tree = ElementTree.fromstring(chart.replace("xlink:href", "href"))
    return [element.text or "" for element in tree.iter("text")]


def test_a_line_chart_has_its_labels_legend_and_levels() -> None:
    series = {"training": [(1, 4.0), (2, 3.0)], "held-out": [(2, 3.5)]}
    chart = lines("Loss by step", series, "step", "nats", levels={"xz": 2.25})
    assert {"step", "nats", "training", "held-out", "xz 2.25"} <= set(_texts(chart))
    assert 'aria-label="Loss by step: training from 4 to 3; held-out from 3.5 to 3.5"' in chart
    assert "<title>Loss by step</title>" in chart


def test_long_series_are_thinned_and_keep_their_last_point() -> None:
    def size(points: int) -> int:
        return len(lines("Loss", {"training": [(n, (n * 7919) % 13) for n in range(points)]}, "step", "nats"))

    assert size(40_000) < 2 * size(400)
    chart = lines("Loss", {"training": [(n, float(n)) for n in range(1001)]}, "step", "nats")
    assert "to 1000" in chart


def test_bars_have_their_numbers_and_one_stands_out() -> None:
    chart = bars("Accuracy", {"model": 0.8125, "majority": 0.5, "many": 12345}, highlight="model")
    assert {"model", "majority", "0.812", "0.5", "12,345"} <= set(_texts(chart))
    assert chart.count("fill: var(--series-1)") == 1 and chart.count("fill: var(--series-3)") == 2


def test_text_in_a_chart_is_neither_markup_nor_formula() -> None:
    chart = bars('A "title" <b>', {"<i>$a_b$</i>": 1.0})
    assert "<i>$a_b$</i>" in _texts(chart)
    assert 'aria-label="A &quot;title&quot; &lt;b&gt;:' in chart


def test_nothing_to_draw_is_no_chart() -> None:
    assert lines("Loss", {"training": []}, "step", "nats") == ""
    assert bars("Accuracy", {"model": float("nan")}) == ""


def test_values_that_are_no_numbers_leave_gaps() -> None:
    chart = lines("Loss", {"training": [(1, 2.0), (2, float("nan")), (3, 1.0)]}, "step", "nats")
    assert not re.search(r"\bnan\b", chart)


def test_the_same_numbers_make_the_same_chart() -> None:
    assert bars("Accuracy", {"model": 0.5}) == bars("Accuracy", {"model": 0.5})


def test_a_confusion_matrix_has_its_names_in_any_script_and_its_counts() -> None:
    chart = matrix("Confusion", ["差评", "<b>好评</b>"], [[30, 10], [0, 1234]])
    texts = _texts(chart)
    assert texts.count("差评") == texts.count("<b>好评</b>") == 2 and {"30", "10", "0", "1,234"} <= set(texts)
    assert 'aria-label="Confusion: of 40 差评 30 right; of 1234 &lt;b&gt;好评&lt;/b&gt; 1234 right"' in chart
    shares = [float(share) for share in re.findall(r'fill-opacity="([^"]+)"', chart)]
    assert shares[0] > shares[1] > shares[2] and shares[3] > shares[0] and "currentColor" in chart
    assert matrix("Confusion", [], []) == matrix("Confusion", ["a"] * 31, [[0] * 31] * 31) == ""


def test_names_that_xml_cannot_hold_are_drawn_all_the_same() -> None:
    assert "a\ufffdb" in _texts(bars("Accuracy", {"a\x00b": 1.0}))
