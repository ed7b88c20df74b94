"""Database: does it answer, what is slow in it, what is large, and what nobody uses.

Each verdict carries its remedy. Statements are ours, timed where we wait for them; a plan is made
on demand, never run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass

from webapp.db import condition, explain
from webapp.db.condition import Index, Server, Table
from webapp.db.explain import Explained
from webapp.errors import DatabaseUnavailable
from webapp.reports import wording
from webapp.reports.figures import kept
from webapp.reports.periods import Window
from webapp.reports.verdicts import Bounds, Verdict, worst
from webapp.services import Services
from webapp.telemetry.metrics import Metrics

PAGE = "dashboard.database"
SLOW = Bounds(warn=0.02, fail=0.25, samples=100)  # seconds, mean of a statement
CONNECTIONS = Bounds(warn=0.8, fail=0.95)  # share of the server's
IN_MEMORY = Bounds(warn=0.95, fail=0.8, low=True)  # share of pages
LONG = Bounds(warn=60, fail=600)  # seconds of a transaction
LARGE = 10_000  # rows
UNUSED_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement's figures in the period, in seconds; `before` is the earlier period's mean."""

    query: str
    calls: int
    total: float
    mean: float
    p95: float | None
    before: float | None


@dataclass(frozen=True, slots=True)
class DatabaseReport:
    """The page's and its twin's content; the server's part is None while it is away."""

    window: Window
    statements: Sequence[Statement]
    server: Server | None
    tables: Sequence[Table]
    indexes: Sequence[Index]

    @property
    def unused(self) -> list[Index]:
        """Indexes of some size that no read has used since statistics began."""
        return [
            each
            for each in self.indexes
            if not each.scans and not each.is_constraint and each.bytes > UNUSED_BYTES
        ]

    @property
    def verdicts(self) -> list[Verdict]:
        """Reachable, statements, connections, memory, transactions, scans, unused indexes."""
        if self.server is None:
            return [_away()]
        return [
            _statements(self.statements),
            _connections(self.server),
            _memory(self.server),
            _transactions(self.server),
            _scans(self.tables),
            _unused(self.unused),
        ]

    def as_json(self) -> dict[str, object]:
        """Section 12's shape."""
        return {
            "as_of": self.window.now.isoformat(),
            "period": self.window.name,
            "verdicts": [each.as_json() for each in self.verdicts],
            "server": asdict(self.server) if self.server else None,
            "statements": [asdict(each) for each in self.statements],
            "tables": [asdict(each) for each in self.tables],
            "indexes": [asdict(each) for each in self.indexes],
        }


def report(services: Services, window: Window) -> DatabaseReport:
    """Raises StoreUnavailable where neither store tells of statements."""
    try:
        metrics = services.metrics
        plain = kept(
            services, "statements", window, lambda: list(map(astuple, statements(metrics, window)))
        )
        found = [Statement(*each) for each in plain]
        with services.database.connection() as conn:
            return DatabaseReport(
                window,
                found,
                condition.database_server(conn),
                condition.database_tables(conn),
                condition.database_indexes(conn),
            )
    except DatabaseUnavailable:
        return DatabaseReport(window, (), None, (), ())


def statements(metrics: Metrics, window: Window) -> list[Statement]:
    """What takes most of the time first. Raises StoreUnavailable, DatabaseUnavailable."""
    now, earlier = (
        metrics.totals(
            "db_query_duration_seconds",
            since=each.since.timestamp(),
            until=each.now.timestamp(),
            by=("query",),
        )
        for each in (window, window.before())
    )
    found = [
        Statement(
            query,
            sample.count,
            sample.sum,
            sample.mean or 0.0,
            sample.quantile(0.95),
            earlier[query,].mean if (query,) in earlier else None,
        )
        for (query,), sample in now.items()
    ]
    return sorted(found, key=lambda each: (-each.total, each.query))


def plans(services: Services, query: str) -> list[Explained]:
    """A statement's plan on the data at hand, one a typical shape; none for an unknown one.

    Raises DatabaseUnavailable.
    """
    with services.database.connection() as conn:
        return list(explain.explain(conn, analyze=False, only=query))


def verdicts(services: Services, window: Window) -> list[Verdict]:
    """All of the page's in one line: its worst."""
    told = report(services, window).verdicts
    state = worst(told)
    one = next(each for each in told if each.state == state)
    return [Verdict("Database", state, one.reason, one.action, one.change, page=PAGE)]


def _away() -> Verdict:
    return Verdict(
        "Database",
        "fail",
        "PostgreSQL can’t be reached: serving goes on, without archive and catalog.",
        "script/flask doctor says why.",
        page=PAGE,
    )


def _statements(found: Sequence[Statement]) -> Verdict:
    often = [each for each in found if each.calls >= SLOW.samples]
    if not often:
        calls = wording.count(sum(each.calls for each in found))
        return Verdict("Statements", "ok", f"{calls} ran, none often.", page=PAGE)
    slowest = max(often, key=lambda each: each.mean)
    state = SLOW.state(slowest.mean, slowest.calls)
    return Verdict(
        "Statements",
        state,
        f"The slowest, {slowest.query}, takes {wording.duration(slowest.mean)} on average.",
        "See its plan." if state != "ok" else "",
        wording.change(slowest.mean, slowest.before),
        page=PAGE,
    )


def _connections(server: Server) -> Verdict:
    state = CONNECTIONS.state(server.connections / server.connections_most)
    return Verdict(
        "Connections",
        state,
        f"{server.connections} of {server.connections_most} taken.",
        "Lower DATABASE_POOL, or put pgbouncer in front." if state != "ok" else "",
        page=PAGE,
    )


def _memory(server: Server) -> Verdict:
    if server.cache_hits is None:
        return Verdict("Memory", "unknown", "No page was read yet.", page=PAGE)
    state = IN_MEMORY.state(server.cache_hits)
    return Verdict(
        "Memory",
        state,
        f"{wording.share(server.cache_hits)} of pages were found in memory.",
        "Give PostgreSQL more memory (shared_buffers)." if state != "ok" else "",
        page=PAGE,
    )


def _transactions(server: Server) -> Verdict:
    state = LONG.state(server.longest_seconds)
    waiting = f"; {server.waiting_for_locks} wait for a lock" if server.waiting_for_locks else ""
    return Verdict(
        "Transactions",
        state,
        f"The longest runs for {wording.duration(server.longest_seconds)}{waiting}.",
        "Find it in pg_stat_activity; it keeps dead rows from being cleared."
        if state != "ok"
        else "",
        page=PAGE,
    )


def _scans(tables: Sequence[Table]) -> Verdict:
    """A large table that is mostly read row by row."""
    read = [
        each
        for each in tables
        if each.rows >= LARGE
        and each.sequential_rows > each.rows * 100
        and each.sequential_scans > each.index_scans / 10
    ]
    if not read:
        return Verdict("Scans", "ok", "No large table is read row by row.", page=PAGE)
    names = ", ".join(each.name for each in read[:3])
    action = "script/flask explain says which query."
    return Verdict("Scans", "warn", f"Read row by row, often: {names}.", action, page=PAGE)


def _unused(unused: Sequence[Index]) -> Verdict:
    if not unused:
        return Verdict("Indexes", "ok", "No large index is unused.", page=PAGE)
    whole = wording.size(sum(each.bytes for each in unused))
    names = ", ".join(each.name for each in unused[:3])
    action = "Leave them if what uses them is rare here; they cost writes."
    return Verdict("Indexes", "warn", f"Never read: {names} ({whole}).", action, page=PAGE)
