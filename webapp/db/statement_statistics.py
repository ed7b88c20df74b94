"""What PostgreSQL says of each statement, by the minute: pg_stat_statements' differences.

Where the extension isn't there, or not loaded, there is nothing, and no error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from webapp.db import statements
from webapp.db.statements import Connection, execute

KEPT = timedelta(days=7)
RECENT = timedelta(minutes=3)
"""After a longer gap a difference tells nothing of a minute."""


@dataclass(frozen=True, slots=True)
class StatementFigures:
    """A normalised statement in a period; milliseconds of execution, blocks of 8 kB."""

    queryid: int
    query: str
    calls: int
    total_ms: float
    rows_returned: int
    blocks_hit: int
    blocks_read: int


@dataclass(frozen=True, slots=True)
class _Flag:
    available: bool = False
    held: bool = False


def snapshot(conn: Connection, now: datetime) -> bool:
    """Note what each statement did since the last snapshot, under the minute that has ended.

    False where PostgreSQL keeps no such figures.
    """
    if not statements_available(conn):
        return False
    with conn.transaction():
        statements_lock(conn)
        statements_snapshot(conn, now)
    return True


def statements_available(conn: Connection) -> bool:
    """Whether pg_stat_statements is here and loaded."""
    row = statements.row(conn, "statements_available", _Flag)
    return row is not None and row.available


def statements_lock(conn: Connection) -> None:
    """Wait for one's turn; it ends with the transaction."""
    statements.row(conn, "statements_lock", _Flag)


def statements_snapshot(conn: Connection, now: datetime) -> int:
    """Take a snapshot, holding the lock; how many statements have run since the last."""
    minute = now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    return execute(conn, "statements_snapshot", now=now, minute=minute, recent=now - RECENT)


def statements_top(conn: Connection, *, since: datetime, limit: int = 20) -> list[StatementFigures]:
    """The statements that took most time since a moment, the most first."""
    return statements.rows(conn, "statements_top", StatementFigures, since=since, limit=limit)


def statements_minutes_prune(conn: Connection, *, now: datetime, rows: int = 5_000) -> int:
    """Forget minutes past their time, `rows` at most; how many."""
    return execute(conn, "statements_minutes_prune", before=now - KEPT, rows=rows)


def statements_totals_prune(conn: Connection, *, now: datetime) -> int:
    """Forget statements that nobody has run for as long; how many."""
    return execute(conn, "statements_totals_prune", before=now - KEPT)
