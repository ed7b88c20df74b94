"""Charts: files that need nothing else, with every value where it belongs."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from benchmarks.drawing.axes import Axis, by_powers, from_zero
from benchmarks.drawing.charts import chart_svg
from benchmarks.drawing.svg import WIDTH
from benchmarks.results import Chart, Series, Spread

NAMES = ("Varnish & Co", "nginx <proxy>", "near")
BARS = Chart(
    "bars",
    "Bars",
    "bars",
    NAMES,
    (Series("plain", (Spread(50.0, 40.0, 60.0), 100.0, None)), Series("gzip", (1.0, 2.0, 3.0))),
    "requests a second",
)
LINES = Chart(
    "lines",
    "Lines",
    "lines",
    (1.0, 10.0, 100.0),
    (Series("one", (1.0, 10.0, 100.0)), Series("other", (5.0, None, 500.0))),
    "ms",
    "connections",
    log_x=True,
    log_y=True,
)
SVG = "{http://www.w3.org/2000/svg}"
charts = pytest.mark.parametrize("chart", [BARS, LINES], ids=["bars", "lines"])


def texts(drawn: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(drawn).iter(f"{SVG}text")]


@charts
def test_a_chart_is_xml_without_script_or_anything_from_elsewhere(chart: Chart) -> None:
    drawn = chart_svg(chart)
    tags = {each.tag for each in ET.fromstring(drawn).iter()}
    assert tags.isdisjoint({f"{SVG}script", f"{SVG}image", f"{SVG}foreignObject"})
    assert re.findall(r"(?:href|url\(|@import)", drawn) == []


@charts
def test_a_chart_has_a_look_for_the_dark(chart: Chart) -> None:
    assert "prefers-color-scheme:dark" in chart_svg(chart)


@charts
def test_the_same_chart_is_the_same_file(chart: Chart) -> None:
    assert chart_svg(chart) == chart_svg(chart)


@charts
def test_nothing_is_drawn_outside(chart: Chart) -> None:
    root = ET.fromstring(chart_svg(chart))
    places = [
        (float(each.attrib[x]), float(each.attrib[y]))
        for each in root.iter()
        for x, y in (("x", "y"), ("x1", "y1"), ("x2", "y2"), ("cx", "cy"))
        if x in each.attrib and each.tag != f"{SVG}svg"
    ]
    height = float(root.attrib["height"])
    assert [
        place for place in places if not (0 <= place[0] <= WIDTH and 0 <= place[1] <= height)
    ] == []


def test_bars_tell_their_values_and_what_was_not_measured() -> None:
    shown = texts(chart_svg(BARS))
    assert {*NAMES, "plain", "gzip", "50", "100", "not measured"} <= set(shown)


def test_a_bar_twice_as_long_is_of_twice_the_value() -> None:
    drawn = ET.fromstring(chart_svg(BARS))
    widths = [
        float(each.attrib["width"])
        for each in drawn.iter(f"{SVG}rect")
        if each.get("class") == "f0" and float(each.attrib["height"]) > 12
    ]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.01)


def test_a_line_has_a_mark_for_each_value() -> None:
    marks = list(ET.fromstring(chart_svg(LINES)).iter(f"{SVG}circle"))
    assert len(marks) == 1 + 3  # one in the legend


def test_a_linear_axis_begins_at_zero_with_round_ticks() -> None:
    axis = from_zero([3.0, 47.0], 0.0, 100.0)
    assert (axis.low, axis.high) == (0.0, 50.0)
    assert axis.ticks() == pytest.approx([0, 10, 20, 30, 40, 50])


def test_a_logarithmic_axis_gives_each_power_as_much_room() -> None:
    axis = by_powers([1.0, 1_000.0], 0.0, 300.0)
    assert [axis.at(value) for value in (1, 10, 100, 1_000)] == pytest.approx([0, 100, 200, 300])


@pytest.mark.parametrize("values", [[], [0.0], [0.004], [5.0, 5.0], [123_456.0]])
def test_any_values_have_an_axis(values: list[float]) -> None:
    for axis in (from_zero(values, 0.0, 1.0), by_powers(values, 0.0, 1.0)):
        assert isinstance(axis, Axis)
        assert len(axis.ticks()) > 1
