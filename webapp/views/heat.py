"""The heatmap's geometry: where answers lie in time and latency. Pure (see charts.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from webapp.reports.periods import Window
from webapp.reports.wording import count, duration
from webapp.views.charts import PLOT_BOTTOM, PLOT_LEFT, PLOT_TOP, WIDTH, Tick, ticks_of

COLUMNS_MAX = 20
"""Steps are drawn together beyond: a square each would be most of the page."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A square of the heatmap; `depth` from 0 to 1 is how dark, on a logarithm's scale."""

    left: float
    top: float
    depth: float
    words: str


@dataclass(frozen=True, slots=True)
class Heat:
    """Answers by latency and time: rows from the slowest to the fastest."""

    cells: tuple[Cell, ...]
    width: float
    height: float
    ticks_x: tuple[Tick, ...]
    ticks_y: tuple[Tick, ...]
    rows: tuple[tuple[str, int], ...]


def heat(bands: Sequence[Sequence[int]], edges: Sequence[float], window: Window) -> Heat:
    """Lay a heatmap out: `bands` from the fastest, each a number a step; they begin at `edges`,
    in seconds."""
    every = math.ceil(window.steps / COLUMNS_MAX)
    columns, length = math.ceil(window.steps / every), window.step * every
    bands = [[sum(band[at : at + every]) for at in range(0, len(band), every)] for band in bands]
    height = (PLOT_BOTTOM - PLOT_TOP) / len(bands)
    width = (WIDTH - PLOT_LEFT) / columns
    most = max((number for band in bands for number in band), default=0)
    named = [f"from {duration(edge)}" if edge else f"under {duration(edges[1])}" for edge in edges]
    cells = [
        Cell(
            left=round(PLOT_LEFT + width * step, 1),
            top=round(PLOT_BOTTOM - height * (band + 1), 1),
            depth=round(0.15 + 0.85 * math.log1p(number) / math.log1p(most), 2),
            words=f"{window.since + length * step:%a %H:%M}, {named[band]}: {count(number)}",
        )
        for band, numbers in enumerate(bands)
        for step, number in enumerate(numbers)
        if number
    ]
    return Heat(
        cells=tuple(cells),
        width=round(width, 2),
        height=round(height, 2),
        ticks_x=tuple(ticks_of(window.since, length, columns, width)),
        ticks_y=tuple(
            Tick(round(PLOT_BOTTOM - height * band, 1), duration(edge))
            for band, edge in enumerate(edges)
            if edge
        ),
        rows=tuple((named[band], sum(bands[band])) for band in reversed(range(len(bands)))),
    )
