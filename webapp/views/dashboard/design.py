"""Every part that pages are made of, with made-up figures, for those who build them."""

from __future__ import annotations

import math
from datetime import timedelta

from flask import Blueprint, Response

from webapp.reports.periods import Window
from webapp.reports.verdicts import Verdict
from webapp.services import Services
from webapp.views.charts import Chart, Series, chart, spark
from webapp.views.dashboard.frame import Frame
from webapp.views.guard import Guard


def add(views: Blueprint, _: Services, __: Guard, frame: Frame) -> None:
    """Put this page on the dashboard; it is in no navigation."""

    @views.get("/design")
    def design() -> Response:
        """Parts in each of their states: good, look, act, no data, empty, loading, error."""
        window = frame.window()
        return frame.page(
            "design",
            "Design",
            window,
            verdicts=_verdicts(window),
            tiles=_tiles(window),
            charts=_charts(window),
        )


def _wave(window: Window, height: float, turn: float = 0) -> list[float | None]:
    steps = range(window.steps)
    return [height * (1.2 + math.sin(i / 9 + turn) + math.sin(i / 2.3) / 5) / 2.4 for i in steps]


def _verdicts(window: Window) -> list[Verdict]:
    line = spark(_wave(window, 1))
    return [
        Verdict("Hit rate", "ok", "97.4 % of 12,310 reads came from a shelf.", "", "+0.3", line),
        Verdict(
            *("GitHub budget", "warn", "812 of 5,000 points left; empty at 14:52, reset 15:10."),
            *("See who spends it.", "−38 %", line),
        ),
        Verdict("Jobs", "fail", "The oldest job waits 9 min.", "Start a worker.", "+8 min", line),
        Verdict("Webhooks", "unknown", "None received.", "Set one up.", "", ""),
    ]


def _tiles(window: Window) -> list[dict[str, str]]:
    line = spark(_wave(window, 1, 2))
    return [
        {"name": "Hit rate", "value": "97.4", "unit": "%", "change": "+0.3 points", "spark": line},
        {"name": "Requests", "value": "1,204", "unit": "/s", "change": "+12 %", "spark": line},
        {"name": "p95", "value": "0.41", "unit": "ms", "change": "as before", "spark": line},
        {"name": "Points saved", "value": "48,210", "unit": "", "change": "", "spark": ""},
    ]


def _charts(window: Window) -> list[Chart]:
    gap: list[float | None] = [
        None if 20 < index < 26 else value for index, value in enumerate(_wave(window, 12))
    ]
    stack = [
        Series(name, _wave(window, height, height), tone)
        for name, height, tone in (
            ("hit", 90, "tone-hit"),
            ("stale or grace", 12, "tone-stale"),
            ("revalidated", 14, "tone-revalidated"),
            ("miss", 9, "tone-miss"),
            ("error", 3, "tone-error"),
        )
    ]
    lines = [
        Series("p50", _wave(window, 4), "tone-1"),
        Series("p95", gap, "tone-2"),
        Series("p95 before", _wave(window, 10, 1), "tone-2", faint=True),
    ]
    release = [(window.since + timedelta(seconds=window.seconds * 0.7), "v0.2.0")]
    nothing: list[float | None] = [None] * window.steps
    return [
        chart(
            *("stack", "Reads by outcome", stack, window),
            form=_rate,
            kind="stack",
            releases=release,
        ),
        chart("lines", "Latency", lines, window, form=_milliseconds),
        chart("none", "Nothing yet", [Series("p50", nothing, "tone-1")], window, form=_rate),
    ]


def _milliseconds(value: float) -> str:
    return f"{value:.3g} ms"


def _rate(value: float) -> str:
    return f"{value:.3g}/s"
