"""Traces in PostgreSQL: batches in, searches and waterfalls out. Times are aware datetimes.

A trace is the transactions that share its id, of web and worker alike. What is kept of which is
telemetry's to decide (telemetry/tracing/traces.py); here it is bounded by age and size, six hours
at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from webapp.db.statements import Connection, execute, execute_many, row, rows

KEPT_FOR = timedelta(days=7)
BYTES_MOST = 1_000_000_000
TRANSACTIONS_MOST = 500
"""Of one trace, in a waterfall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedTransaction:
    """`kind`: request, job or background. `parent_id` is a span or transaction of any process."""

    began: datetime
    trace_id: UUID
    transaction_id: str
    parent_id: str | None
    kind: str
    name: str
    resource: str
    outcome: str
    result: str
    ms: float
    failed: bool
    kept: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailedTransaction(TracedTransaction):
    """`detail`: url, labels, errors [{type, message, culprit}], dropped (spans), spans, each
    [id, parent, ms from the start, ms, name, type, failed, count, labels]."""

    detail: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What of a period is looked for, the newest first; None for any."""

    since: datetime
    until: datetime
    limit: int
    route: str | None = None
    outcome: str | None = None
    at_least_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class CalledUrl:
    """What was asked of GitHub, without its query; the slowest call's trace."""

    url: str
    calls: int
    mean_ms: float
    most_ms: float
    trace_id: UUID


@dataclass(frozen=True, slots=True)
class _Dropped:
    dropped: int


def traces_room(conn: Connection, *, moment: datetime) -> None:
    """Make the tables that transactions of this moment go into, unless they are there."""
    execute(conn, "traces_room", moment=moment)


def trace_add(conn: Connection, transactions: Sequence[TracedTransaction]) -> None:
    """Note a batch."""
    execute_many(conn, "trace_add", [_columns(each) for each in transactions])


def trace_detail_add(conn: Connection, transactions: Sequence[DetailedTransaction]) -> None:
    """Note a batch's spans."""
    details = [{**_columns(each), "detail": Jsonb(each.detail)} for each in transactions]
    execute_many(conn, "trace_detail_add", details)


def traces_prune(conn: Connection, *, before: datetime, bytes_most: int = BYTES_MOST) -> int:
    """Drop what ended before, then the oldest while all is larger; how many six hours went."""
    dropped = row(conn, "traces_prune", _Dropped, before=before, bytes_most=bytes_most)
    return dropped.dropped if dropped else 0


def traces_recent(conn: Connection, search: Search) -> list[TracedTransaction]:
    """Of any route."""
    return rows(conn, "traces_recent", TracedTransaction, **_columns(search))


def traces_failed(conn: Connection, search: Search) -> list[TracedTransaction]:
    """Failed ones."""
    return rows(conn, "traces_failed", TracedTransaction, **_columns(search))


def traces_of_route(conn: Connection, search: Search) -> list[TracedTransaction]:
    """Those called so."""
    return rows(conn, "traces_of_route", TracedTransaction, **_columns(search))


def traces_calls(
    conn: Connection, api_url: str, *, since: datetime, until: datetime, traces: int, limit: int
) -> list[CalledUrl]:
    """The slowest URLs below `api_url` that the newest `traces` of a period called."""
    span = {"since": since, "until": until, "traces": traces}
    return rows(conn, "traces_calls", CalledUrl, api_url=api_url, rows=limit, **span)


def trace_get(
    conn: Connection, trace_id: UUID, *, limit: int = TRANSACTIONS_MOST
) -> list[DetailedTransaction]:
    """Every transaction of a trace, the earliest first."""
    return rows(conn, "trace_get", DetailedTransaction, trace_id=trace_id, limit=limit)


def _columns(held: TracedTransaction | Search) -> dict[str, object]:
    return {field.name: getattr(held, field.name) for field in fields(held)}
