"""What a chart looks like, as numbers: pure. One macro (templates/macros/chart.html) draws it.

    values a step ─ scale (from 0, to a round number) ─ paths, ticks, a column a step to point at
                  └ the same values again, as the rows of the chart's table

Coordinates are the SVG's own, x from PLOT_LEFT to WIDTH, y downward. None is "not measured": a gap
in the line, never a zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from webapp.reports.periods import Window

WIDTH, HEIGHT = 480, 190
PLOT_LEFT, PLOT_TOP, PLOT_BOTTOM = 48, 8, 164
TICKS_Y, TICKS_X = 4, 5
SPARK_WIDTH, SPARK_HEIGHT = 120, 28
ROUND_STEPS = (1, 2, 2.5, 5, 10)

DOT = "h3"

Kind = Literal["lines", "stack"]
Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or one layer of a stack: a value a step. `tone` is a class of the style sheet.

    A `faint` one is the same figure a period earlier.
    """

    name: str
    values: Sequence[float | None]
    tone: str
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Marker:
    """Something that happened at a time, a release above all."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A series' path: an area's for a stack, a line's otherwise."""

    name: str
    tone: str
    faint: bool
    path: str


@dataclass(frozen=True, slots=True)
class Column:
    """A step to point at: where it is, when it was, and each series' value in words."""

    left: float
    width: float
    time: datetime
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """All that the macro needs. `summary` says in words what the picture shows."""

    name: str
    title: str
    summary: str
    kind: Kind
    drawn: tuple[Drawn, ...]
    columns: tuple[Column, ...]
    ticks_x: tuple[Tick, ...]
    ticks_y: tuple[Tick, ...]
    markers: tuple[Marker, ...]

    @property
    def empty(self) -> bool:
        """Nothing was measured."""
        return all(not each.path for each in self.drawn)


def chart(
    name: str,
    title: str,
    series: Sequence[Series],
    window: Window,
    *,
    form: Format,
    kind: Kind = "lines",
    releases: Sequence[tuple[datetime, str]] = (),
    top: float | None = None,
) -> Chart:
    """Lay a chart out. Every series has one value a step of the window.

    `form` writes a value with its unit; `top` fixes the scale (1 for shares), else it fits.
    """
    since, step, steps = window.since, window.step, window.steps
    own = [each for each in series if not each.faint]
    highest = _highest(series, kind)
    ticks = _scale(top if top is not None else highest)
    width = (WIDTH - PLOT_LEFT) / steps
    centres = [PLOT_LEFT + width * (index + 0.5) for index in range(steps)]
    return Chart(
        name=name,
        title=title,
        summary=_summary(own, form, kind),
        kind=kind,
        drawn=tuple(
            _stack(series, centres, ticks[-1])
            if kind == "stack"
            else _lines(series, centres, ticks[-1])
        ),
        columns=tuple(
            Column(
                left=round(PLOT_LEFT + width * index, 1),
                width=round(width, 2),
                time=since + step * index,
                cells=tuple(_cell(each, index, form) for each in series),
            )
            for index in range(steps)
        ),
        ticks_x=tuple(ticks_of(since, step, steps, width)),
        ticks_y=tuple(Tick(round(_y(value, ticks[-1]), 1), form(value)) for value in ticks),
        markers=tuple(
            Marker(round(PLOT_LEFT + (moment - since) / step * width, 1), label)
            for moment, label in releases
            if since <= moment < window.until
        ),
    )


def spark(values: Sequence[float | None], *, top: float | None = None) -> str:
    """A line's path in SPARK_WIDTH × SPARK_HEIGHT; "" where there is nothing to draw."""
    known = [each for each in values if each is not None]
    highest = (top if top is not None else max(known, default=0)) or 1
    wide = SPARK_WIDTH / max(len(values) - 1, 1)
    points = [
        None
        if value is None
        else (index * wide, SPARK_HEIGHT - 2 - min(value / highest, 1) * (SPARK_HEIGHT - 4))
        for index, value in enumerate(values)
    ]
    return _path(points)


def _highest(series: Sequence[Series], kind: Kind) -> float:
    if kind == "stack":
        steps = max((len(each.values) for each in series), default=0)
        return max((sum(_at(each, i) or 0 for each in series) for i in range(steps)), default=0)
    return max((value for each in series for value in each.values if value is not None), default=0)


def _scale(highest: float) -> list[float]:
    """Round values from 0 on, the last not below `highest`."""
    if highest <= 0:
        return [0, 1]
    rough = highest / TICKS_Y
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * each for each in ROUND_STEPS if size * each >= rough * (1 - 1e-9))
    return [step * index for index in range(math.ceil(highest / step - 1e-9) + 1)]


def _y(value: float, top: float) -> float:
    return PLOT_BOTTOM - value / top * (PLOT_BOTTOM - PLOT_TOP)


def _at(series: Series, index: int) -> float | None:
    return series.values[index] if index < len(series.values) else None


def _cell(series: Series, index: int, form: Format) -> str:
    value = _at(series, index)
    return "–" if value is None else form(value)


def _lines(series: Sequence[Series], centres: Sequence[float], top: float) -> list[Drawn]:
    return [
        Drawn(
            each.name,
            each.tone,
            each.faint,
            _path(
                [
                    None if value is None else (centre, _y(min(value, top), top))
                    for centre, value in zip(centres, each.values, strict=False)
                ]
            ),
        )
        for each in series
    ]


def _stack(series: Sequence[Series], centres: Sequence[float], top: float) -> list[Drawn]:
    """Areas, the first at the bottom; each from the sum below it to the sum with it."""
    below = [0.0] * len(centres)
    drawn = []
    for each in series:
        above = [low + (_at(each, index) or 0) for index, low in enumerate(below)]
        path = ""
        if above != below:
            upper = [(x, _y(value, top)) for x, value in zip(centres, above, strict=True)]
            lower = [(x, _y(value, top)) for x, value in zip(centres, below, strict=True)]
            path = _path([*upper, *reversed(lower)]) + "Z"
        drawn.append(Drawn(each.name, each.tone, each.faint, path))
        below = above
    return drawn


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """`M` where a line begins, `L` onward; a lone point is a short stroke."""
    words, alone, started = [], False, False
    for point in points:
        if point is None:
            if alone:
                words.append(DOT)
            started = alone = False
            continue
        x, y = point
        words.append(f"{'L' if started else 'M'}{x:.1f} {y:.1f}")
        alone = not started
        started = True
    return " ".join([*words, DOT] if alone else words)


def ticks_of(since: datetime, step: timedelta, steps: int, width: float) -> list[Tick]:
    """Times along the axis; days where the period is long."""
    days = step * steps > timedelta(days=2)
    every = max(1, round(steps / TICKS_X))
    return [
        Tick(
            round(PLOT_LEFT + width * index, 1),
            f"{since + step * index:%a %d}" if days else f"{since + step * index:%H:%M}",
        )
        for index in range(0, steps, every)
        if PLOT_LEFT + width * index < WIDTH - 30
    ]


def _summary(series: Sequence[Series], form: Format, kind: Kind) -> str:
    said = []
    for each in series:
        known = [value for value in each.values if value is not None]
        if not known:
            said.append(f"{each.name}: nothing measured")
        elif kind == "stack":
            said.append(f"{each.name}: at most {form(max(known))}")
        else:
            said.append(
                f"{each.name}: {form(min(known))} to {form(max(known))}, last {form(known[-1])}"
            )
    return "; ".join(said)
