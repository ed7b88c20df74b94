"""Requests: every route's rate, errors and latency, and where the time goes."""

from __future__ import annotations

from flask import Blueprint, Response

from webapp.reports import requests as reports
from webapp.reports.releases import releases
from webapp.services import Services
from webapp.views.dashboard.drawings import latency, outcomes
from webapp.views.dashboard.frame import Frame
from webapp.views.guard import Guard
from webapp.views.heat import heat

ROUTES_MAX = 30
"""Rows shown; the rest is in the JSON twin."""


def add(views: Blueprint, services: Services, _: Guard, frame: Frame) -> None:
    """Put this page on the dashboard."""

    @views.get("/requests")
    def requests() -> Response:
        """Which route is slow, fails, or takes most of the time?"""
        window = frame.window()
        report = reports.report(services, window)
        marks = releases(services, window)
        return frame.page(
            "requests",
            "Requests",
            window,
            verdicts=report.verdicts,
            charts=[
                outcomes(report.reads, marks),
                latency(report.reads, report.p95_before, marks),
            ],
            heat=heat(report.heat(), reports.BANDS, window),
            routes=report.routes[:ROUTES_MAX],
            more=max(0, len(report.routes) - ROUTES_MAX),
        )
