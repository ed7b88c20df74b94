"""Database: verdicts with their remedies, statements and their plans, tables, indexes."""

from __future__ import annotations

from flask import Blueprint, Response, request

from webapp.db.explain import Explained, plan_lines
from webapp.errors import DatabaseUnavailable
from webapp.reports import database as reports
from webapp.services import Services
from webapp.views.dashboard.frame import Frame
from webapp.views.guard import Guard

SHOWN = 25


def add(views: Blueprint, services: Services, _: Guard, frame: Frame) -> None:
    """Put this page on the dashboard."""

    @views.get("/database")
    def database() -> Response:
        """What is slow, what is large, what is unused, and what to do?"""
        window = frame.window()
        report = reports.report(services, window)
        query = request.args.get("query", "")[:100]
        return frame.page(
            "database",
            "Database",
            window,
            verdicts=report.verdicts,
            report=report,
            shown=SHOWN,
            query=query,
            plans=_plans(services, query) if query else [],
            lines_of=_lines,
        )


def _plans(services: Services, query: str) -> list[Explained]:
    try:
        return reports.plans(services, query)
    except DatabaseUnavailable:
        return []


def _lines(explained: Explained) -> str:
    return "\n".join(plan_lines(explained.plan)) if explained.plan else ""
