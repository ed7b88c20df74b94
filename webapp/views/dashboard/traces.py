"""Traces: find a slow or failed one, and follow it through web, GitHub, queue and worker."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, redirect, request, url_for

from webapp.errors import DatabaseUnavailable, RequestRefused
from webapp.outcome import Outcome
from webapp.reports import traces as reports
from webapp.services import Services
from webapp.telemetry.tracing.waterfall import Row, Waterfall, waterfall
from webapp.views.charts import WIDTH
from webapp.views.dashboard.frame import Frame
from webapp.views.guard import Guard

TRACE_ID = re.compile("[0-9a-f]{32}")
THINNEST = 1.5  # of the bar, in the SVG's own units
LANES = {"request": "tone-1", "job": "tone-4", "background": "tone-6"}
TONES = (("db", "tone-3"), ("cache", "tone-3"), ("external", "tone-2"), ("messaging", "tone-5"))


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of the waterfall, drawn: `left` and `width` in an SVG WIDTH wide."""

    row: Row
    left: float
    width: float
    tone: str


def add(views: Blueprint, services: Services, _: Guard, frame: Frame) -> None:
    """Put these pages on the dashboard."""

    @views.get("/traces")
    def traces() -> Response:
        """The newest that fit the filters."""
        window = frame.window()
        sought = request.args.get("trace_id", "").strip().lower()
        if TRACE_ID.fullmatch(sought):
            response = redirect(url_for("dashboard.trace", trace_id=sought))
            assert isinstance(response, Response)
            return response
        wanted = reports.Wanted.of(request.args)
        found, problem = [], "That is no trace id: it has 32 hex digits." if sought else ""
        try:
            found = reports.search(services, window, wanted)
        except DatabaseUnavailable:
            problem = "PostgreSQL can’t be reached, so no trace is listed. Serving is unaffected."
        return frame.page(
            "traces",
            "Traces",
            window,
            verdicts=[reports.verdict(found)],
            wanted=wanted,
            sought=sought,
            problem=problem,
            traces=found,
            outcomes=[each.value for each in Outcome],
        )

    @views.get("/traces/<trace_id>")
    def trace(trace_id: str) -> Response:
        """One trace's waterfall."""
        held = (
            waterfall(services.database, UUID(trace_id)) if TRACE_ID.fullmatch(trace_id) else None
        )
        if held is None:
            raise RequestRefused(404, "This trace isn’t kept (any more).")
        return frame.page("trace", "Trace", waterfall=held, bars=_bars(held))


def _bars(held: Waterfall) -> list[Bar]:
    whole = max(held.ms, 0.001)
    return [
        Bar(
            row=row,
            left=round(max(0.0, min(row.at_ms / whole, 1)) * (WIDTH - THINNEST), 1),
            width=round(max(THINNEST, min(row.ms / whole, 1) * WIDTH), 1),
            tone=_tone(row),
        )
        for row in held.rows
    ]


def _tone(row: Row) -> str:
    if row.failed:
        return "tone-fail"
    family = row.kind.partition(".")[0]
    return LANES.get(row.kind) or next((tone for kind, tone in TONES if kind == family), "tone-6")
