"""Charts: what they say to those who cannot see them, few points, odd values, text as text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from pipeline.evaluate.reliability import reliability as bins_of
from pipeline.report.charts import bars, histogram, lines, matrix, reliability


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


def test_a_chart_says_where_its_numbers_are() -> None:
    """What the page's script goes by: the frame's ends in units of the drawing and in numbers."""
    points = [(10.0, 2.0), (20.0, 4.0), (40.0, 3.0)]
    tree = ElementTree.fromstring(lines("Loss", {"training": points}, "step", "nats"))
    (axes,) = [group for group in tree.iter("g") if "data-frame" in group.attrib]
    left, right, top, bottom, x_low, x_high, y_high, y_low = map(float, axes.attrib["data-frame"].split())
    assert (x_low, x_high) == (10, 40) and y_low < 2 and y_high > 4
    drawn = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in tree.iter("circle")]
    for (x, y), (cx, cy) in zip(points, drawn, strict=True):
        assert cx == pytest.approx(left + (x - x_low) / (x_high - x_low) * (right - left), abs=0.06)
        assert cy == pytest.approx(bottom + (y - y_low) / (y_high - y_low) * (top - bottom), abs=0.06)


def test_many_series_have_a_legend_in_rows_and_lines_that_differ_without_colour() -> None:
    names = [f"a run with a long name {n}" for n in range(6)]
    tree = ElementTree.fromstring(lines("Loss", {n: [(0, 1.0), (1, 2.0)] for n in names}, "step", "nats"))
    keys = {text.text: text for text in tree.iter("text") if text.text in names}
    assert set(keys) == set(names) and len({key.attrib["y"] for key in keys.values()}) > 1
    paths = list(tree.iter("path"))
    assert len({path.attrib["stroke"] for path in paths}) == len(names)
    assert len({path.attrib.get("stroke-dasharray") for path in paths}) == len(names)


def test_a_bar_has_its_interval_and_says_it() -> None:
    chart = bars("Accuracy", {"model": 0.8, "majority": 0.5}, intervals={"model": {"low": 0.7, "high": 0.9}})
    assert "<title>model: 0.8, 95 %: 0.7 to 0.9</title>" in chart and "<title>majority: 0.5</title>" in chart


def test_columns_say_what_they_count_and_a_round_border_keeps_its_digits() -> None:
    chart = histogram("Lengths", [8192, 16384, 32768], [3, 1], "tokens", "documents")
    assert "8,192 to 16,384: 3 documents" in chart and {"8,192", "16,384", "32,768"} <= set(_texts(chart))
    heights = [float(box.attrib["height"]) for box in ElementTree.fromstring(chart).iter("rect")][1::2]
    assert heights[0] == pytest.approx(3 * heights[1], rel=1e-3)
    assert histogram("Lengths", [1, 2], [0], "tokens", "documents") == ""


def test_calibrated_points_lie_on_the_diagonal() -> None:
    right = [n % 10 < 3 for n in range(100)] + [n % 10 < 9 for n in range(100)]
    chart = reliability("Calibration", bins_of([0.3] * 100 + [0.9] * 100, right))
    tree = ElementTree.fromstring(chart)
    (diagonal,) = [rule for rule in tree.iter("line") if "stroke-dasharray" in rule.attrib]
    x1, y1, x2, y2 = (float(diagonal.attrib[end]) for end in ("x1", "y1", "x2", "y2"))
    for dot in tree.iter("circle"):
        on = y1 + (float(dot.attrib["cx"]) - x1) / (x2 - x1) * (y2 - y1)
        assert float(dot.attrib["cy"]) == pytest.approx(on, abs=0.3)
    assert "said 0.300, right 0.300 of 100, 95 %: 0.219 to 0.396" in chart  # Wilson's
    assert reliability("Calibration", []) == ""


def test_marks_along_an_axis_are_round() -> None:
    chart = lines("Loss", {"training": [(n, n / 7) for n in range(1, 4)]}, "step", "nats")
    marks = [float(text) for text in _texts(chart) if re.fullmatch(r"[\d.]+", text)]
    steps = [mark for mark in marks if mark == int(mark) and mark >= 1]
    assert steps == [1, 2, 3], "no half steps"
    assert "2 M" in _texts(lines("Loss", {"t": [(0, 1.0), (4e6, 2.0)]}, "tokens", "nats"))
