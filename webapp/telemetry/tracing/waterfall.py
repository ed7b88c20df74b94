"""Reading traces: a search, and one trace as the rows of a waterfall, over web and worker.

A transaction hangs below the span that caused it, wherever that ran; one whose cause wasn't kept
(not sampled, or somebody else's) stands by itself. Clocks of two machines differ: a row may begin
before its parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from webapp.db import traces
from webapp.db.pool import Database
from webapp.db.traces import DetailedTransaction, Search, TracedTransaction

DEPTH_MOST = 60
ROWS_MOST = 2_000


@dataclass(frozen=True, slots=True)
class Row:
    """One bar: `at_ms` from the trace's beginning. `kind` is request, job, background, or a
    span's type, such as db.redis; `count` is how many calls in a row it stands for."""

    id: str
    parent_id: str | None
    depth: int
    kind: str
    name: str
    at_ms: float
    ms: float
    failed: bool
    count: int = 1
    labels: Mapping[str, object] = field(default_factory=dict)
    url: str = ""
    errors: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Waterfall:
    """One trace. `cut` where it has more rows than are shown, or spans that were dropped."""

    trace_id: str
    began: datetime
    ms: float
    failed: bool
    cut: bool
    rows: tuple[Row, ...]


def search(database: Database, wanted: Search, *, failed: bool = False) -> list[TracedTransaction]:
    """The newest transactions that fit. Raises DatabaseUnavailable."""
    with database.connection() as conn:
        if failed:
            return traces.traces_failed(conn, wanted)
        if wanted.route is not None:
            return traces.traces_of_route(conn, wanted)
        return traces.traces_recent(conn, wanted)


def of_trace(database: Database, trace_id: UUID) -> list[TracedTransaction]:
    """Every transaction of one trace, the earliest first. Raises DatabaseUnavailable."""
    with database.connection() as conn:
        return list(traces.trace_get(conn, trace_id))


def waterfall(database: Database, trace_id: UUID) -> Waterfall | None:
    """One trace; None for one that isn't kept. Raises DatabaseUnavailable."""
    with database.connection() as conn:
        held = traces.trace_get(conn, trace_id)
    return drawn(held) if held else None


def drawn(transactions: list[DetailedTransaction]) -> Waterfall:
    """At least one transaction, all of one trace. Pure."""
    began = min(each.began for each in transactions)
    bars = [bar for each in transactions for bar in _bars(each, began)]
    rows = tuple(_in_order(bars))
    return Waterfall(
        trace_id=transactions[0].trace_id.hex,
        began=began,
        ms=round(max(bar.at_ms + bar.ms for bar in bars), 3),
        failed=any(each.failed for each in transactions),
        cut=len(rows) < len(bars) or any(each.detail.get("dropped") for each in transactions),
        rows=rows,
    )


def _bars(transaction: DetailedTransaction, began: datetime) -> Iterable[Row]:
    """Without depth."""
    at_ms = (transaction.began - began) / timedelta(milliseconds=1)
    detail = transaction.detail
    yield Row(
        id=transaction.transaction_id,
        parent_id=transaction.parent_id,
        depth=0,
        kind=transaction.kind,
        name=transaction.name,
        at_ms=round(at_ms, 3),
        ms=transaction.ms,
        failed=transaction.failed,
        labels={**detail.get("labels", {}), "result": transaction.result},
        url=detail.get("url", ""),
        errors=tuple(detail.get("errors", ())),
    )
    for span in detail.get("spans", ()):
        yield _span(span, at_ms)


def _span(span: list[Any], at_ms: float) -> Row:
    id_, parent_id, offset, ms, name, kind, failed, count, labels = span
    return Row(id_, parent_id, 0, kind, name, round(at_ms + offset, 3), ms, failed, count, labels)


def _in_order(bars: list[Row]) -> Iterable[Row]:
    """Parents before their children, these by when they began."""
    known = {bar.id for bar in bars}
    children: dict[str | None, list[Row]] = {}
    for bar in bars:
        parent = bar.parent_id if bar.parent_id in known and bar.parent_id != bar.id else None
        children.setdefault(parent, []).append(bar)
    for each in children.values():
        each.sort(key=lambda bar: bar.at_ms)
        each.reverse()
    waiting = [(0, bar) for bar in children.get(None, ())]
    given = 0
    while waiting and given < ROWS_MOST:
        depth, bar = waiting.pop()
        yield replace(bar, depth=depth)
        given += 1
        waiting += [(min(depth + 1, DEPTH_MOST), child) for child in children.get(bar.id, ())]
