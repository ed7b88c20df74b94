"""Traces: the newest that fit, and one as the rows of its waterfall."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, Field, StringConstraints

from webapp.db.traces import TracedTransaction
from webapp.errors import RequestRefused
from webapp.reports import traces as reports
from webapp.reports.periods import window
from webapp.services import Services
from webapp.telemetry.tracing.waterfall import of_trace, waterfall
from webapp.views.guard import Guard
from webapp.views.responses import json_response

TraceId = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
_STORABLE = r"^[^\x00]*$"
Text = Annotated[str, StringConstraints(max_length=300, pattern=_STORABLE)]


class TracesQuery(BaseModel):
    """Which traces: all conditions hold, or `trace_id` alone does. `route` is a whole name."""

    period: Literal["15m", "1h", "6h", "24h", "7d"] = "1h"
    route: Text | None = None
    outcome: Annotated[str, StringConstraints(max_length=40, pattern=_STORABLE)] | None = None
    min_ms: float = Field(default=0.0, ge=0)
    failed: bool = False
    trace_id: TraceId | None = None
    limit: int = Field(default=100, ge=1, le=500)


class TracePath(BaseModel):
    """A trace, by W3C's id."""

    trace_id: TraceId


class TraceRow(BaseModel):
    """A transaction: a request, a job, or a call to GitHub by itself."""

    trace_id: str
    transaction_id: str
    began: datetime
    kind: str = Field(description="request, job or background")
    route: str
    resource: str
    outcome: str
    result: str
    ms: float
    failed: bool
    kept: str = Field(description="failed, slow or sampled")


class VerdictRow(BaseModel):
    """What is, why, and what to do."""

    name: str
    state: str
    reason: str
    action: str


class Traces(BaseModel):
    """The newest first."""

    as_of: datetime
    period: str
    verdicts: list[VerdictRow]
    traces: list[TraceRow]


class WaterfallRow(BaseModel):
    """One bar; parents come before their children, `depth` says how far in it hangs."""

    id: str
    parent_id: str | None
    depth: int
    kind: str
    name: str
    at_ms: float
    ms: float
    failed: bool
    count: int
    labels: dict[str, Any]
    url: str
    errors: list[dict[str, str]]


class Trace(BaseModel):
    """One trace over web and worker; `cut` where something of it isn't there."""

    trace_id: str
    began: datetime
    ms: float
    failed: bool
    cut: bool
    rows: list[WaterfallRow]


def add(views: APIBlueprint, services: Services, _: Guard) -> None:
    """Put this module's views on the API's blueprint."""

    @views.get("/traces", responses={200: Traces})
    def traces(query: TracesQuery) -> Response:
        """Failed and slow requests and jobs of the last seven days, and a sample of the others."""
        now = datetime.now(UTC)
        found = _found(services, query, now)
        report = Traces(
            as_of=now,
            period=query.period,
            verdicts=[VerdictRow(**reports.verdict(found).as_json())],
            traces=[_row(each) for each in found],
        )
        return json_response(report.model_dump())

    @views.get("/traces/<trace_id>", responses={200: Trace})
    def trace(path: TracePath) -> Response:
        """One trace's waterfall."""
        held = waterfall(services.database, UUID(path.trace_id))
        if held is None:
            raise RequestRefused(404, "This trace isn't kept.")
        return json_response(asdict(held))


def _found(services: Services, query: TracesQuery, now: datetime) -> list[TracedTransaction]:
    if query.trace_id is not None:
        return of_trace(services.database, UUID(query.trace_id))
    wanted = reports.Wanted(query.route, query.outcome, query.min_ms, query.failed)
    return reports.search(services, window(query.period, now), wanted, limit=query.limit)


def _row(transaction: TracedTransaction) -> TraceRow:
    return TraceRow(
        trace_id=transaction.trace_id.hex,
        transaction_id=transaction.transaction_id,
        began=transaction.began,
        kind=transaction.kind,
        route=transaction.name,
        resource=transaction.resource,
        outcome=transaction.outcome,
        result=transaction.result,
        ms=transaction.ms,
        failed=transaction.failed,
        kept=transaction.kept,
    )
