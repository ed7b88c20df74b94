"""A chart of benchmarks/results.py as SVG: bars lie, with their values; lines have marks."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.drawing import svg
from benchmarks.drawing.axes import Axis, by_powers, from_zero
from benchmarks.results import Chart, Series, Spread
from benchmarks.tables import number

EDGE = 16.0
BAR, GROUP_GAP = 16.0, 10.0
LABEL_MOST = 300.0
PLOT = 300.0


def chart_svg(chart: Chart) -> str:
    """The file's text; the same chart gives the same text."""
    parts = _bars(chart) if chart.kind == "bars" else _lines(chart)
    return svg.drawing(parts[1], chart.title, chart.about or chart.title, parts[0])


def _middle(value: float | Spread) -> float:
    return value.median if isinstance(value, Spread) else value


def _ends(value: float | Spread) -> tuple[float, float]:
    return (value.low, value.high) if isinstance(value, Spread) else (value, value)


def _values(series: tuple[Series, ...]) -> list[float]:
    """All there are, ends of spreads included."""
    held = (value for each in series for value in each.values if value is not None)
    return [end for value in held for end in (_middle(value), *_ends(value))]


def _scale(chart: Chart, start: float, end: float) -> Axis:
    values = _values(chart.series)
    return by_powers(values, start, end) if chart.log_y else from_zero(values, start, end)


def _bars(chart: Chart) -> tuple[list[str], float]:
    names = [str(each) for each in chart.at]
    left = EDGE + min(LABEL_MOST, max(svg.width_of(name) for name in names)) + 8
    axis = _scale(chart, left, svg.WIDTH - EDGE - 70)
    several = len(chart.series) > 1
    parts, top = [], 46.0
    if several:
        drawn, at = svg.legend(
            [each.name for each in chart.series], EDGE, top, svg.WIDTH - EDGE, lines=False
        )
        parts.append(drawn)
        top = at + 14
    step = BAR * len(chart.series) + GROUP_GAP
    bottom = top + step * len(names)
    parts += _upright(axis, top, bottom, chart.unit)
    for place, name in enumerate(names):
        y = top + GROUP_GAP / 2 + place * step
        parts.append(svg.text(left - 8, y + step / 2 - 2, name, anchor="end"))
        for row, each in enumerate(chart.series):
            parts += _bar(axis, each.values[place], y + row * BAR, row)
    return parts, bottom + 44


def _bar(axis: Axis, value: float | Spread | None, y: float, place: int) -> Iterator[str]:
    if value is None:
        yield svg.text(axis.start + 4, y + 12, "not measured")
        return
    end = axis.at(_middle(value))
    yield svg.bar(axis.start, y + 1, end - axis.start, BAR - 2, place)
    low, high = (axis.at(each) for each in _ends(value))
    if high - low > 1:
        yield svg.line(low, y + BAR / 2, high, y + BAR / 2, "whisker")
    yield svg.text(max(end, high) + 5, y + 12, number(_middle(value)))


def _upright(axis: Axis, top: float, bottom: float, unit: str) -> Iterator[str]:
    """Grid lines of an axis that lies, their values, and its unit."""
    for tick in axis.ticks():
        x = axis.at(tick)
        yield svg.line(x, top, x, bottom, "grid")
        yield svg.text(x, bottom + 16, number(tick), anchor="middle")
    yield svg.text((axis.start + axis.end) / 2, bottom + 34, unit, anchor="middle")


def _lines(chart: Chart) -> tuple[list[str], float]:
    legend, at = svg.legend(
        [each.name for each in chart.series], EDGE, 48.0, svg.WIDTH - EDGE, lines=True
    )
    top = at + 28
    bottom = top + PLOT
    values = _scale(chart, bottom, top)
    left = EDGE + max(svg.width_of(number(each)) for each in values.ticks()) + 10
    numbers = [float(each) for each in chart.at]
    right = svg.WIDTH - EDGE - 20
    across = (
        by_powers(numbers, left, right)
        if chart.log_x
        else Axis(min(numbers), max(numbers), left, right)
    )
    parts = [legend, svg.text(EDGE, top - 10, chart.unit)]
    for tick in values.ticks():
        y = values.at(tick)
        parts.append(svg.line(left, y, right, y, "grid"))
        parts.append(svg.text(left - 6, y + 4, number(tick), anchor="end"))
    parts += _upright(across, top, bottom, chart.across)
    for place, each in enumerate(chart.series):
        parts += _line(each, numbers, across, values, place)
    return parts, bottom + 44


def _line(
    series: Series, numbers: list[float], across: Axis, values: Axis, place: int
) -> Iterator[str]:
    points = [
        (across.at(x), value)
        for x, value in zip(numbers, series.values, strict=True)
        if value is not None
    ]
    yield svg.path([(x, values.at(_middle(value))) for x, value in points], place)
    for x, value in points:
        low, high = _ends(value)
        if high > low:
            yield svg.line(x, values.at(low), x, values.at(high), "whisker")
        yield svg.mark(x, values.at(_middle(value)), place)
