"""The pages' JSON twins: the same figures and verdicts, from the same reports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel

from webapp.reports import cache, database, github, overview, requests
from webapp.reports.periods import Window, window
from webapp.services import Services
from webapp.views.guard import Guard
from webapp.views.responses import json_response


class PeriodQuery(BaseModel):
    """How far back."""

    period: Literal["15m", "1h", "6h", "24h", "7d"] = "1h"


class VerdictOut(BaseModel):
    """What is, why, and what to do."""

    name: str
    state: Literal["ok", "warn", "fail", "unknown"]
    reason: str
    action: str


class Report(BaseModel):
    """What all reports begin with; each has figures of its own beside it."""

    as_of: str
    period: str
    verdicts: list[VerdictOut]


def add(views: APIBlueprint, services: Services, _: Guard) -> None:
    """Put this module's views on the API's blueprint."""

    @views.get("/overview", responses={200: Report})
    def overview_report(query: PeriodQuery) -> Response:
        """Is it fast, is it fresh, what eats the budget, what is about to break?"""
        return json_response(overview.report(services, window_of(query)).as_json())

    @views.get("/requests", responses={200: Report})
    def requests_report(query: PeriodQuery) -> Response:
        """Rate, errors and latency by route."""
        return json_response(requests.report(services, window_of(query)).as_json())

    @views.get("/cache", responses={200: Report})
    def cache_report(query: PeriodQuery) -> Response:
        """Outcomes by resource, latency by shelf, purges by cause, points saved, memory."""
        return json_response(cache.report(services, window_of(query)).as_json())

    @views.get("/database", responses={200: Report})
    def database_report(query: PeriodQuery) -> Response:
        """Statements, tables, indexes, connections, each verdict with its remedy."""
        return json_response(database.report(services, window_of(query)).as_json())

    @views.get("/github", responses={200: Report})
    def github_report(query: PeriodQuery) -> Response:
        """What is left of each credential's budget, and who spends it."""
        return json_response(github.report(services, window_of(query)).as_json())


def window_of(query: PeriodQuery) -> Window:
    """Of the period asked for, until now."""
    return window(query.period, datetime.now(UTC))
