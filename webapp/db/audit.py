"""The audit table: what operators did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from webapp.db.statements import Connection, execute, rows

_LAST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Act:
    """A row; `at` is an aware moment."""

    id: int
    at: datetime
    who: str
    what: str
    target: str
    detail: str


def audit_note(conn: Connection, *, who: str, what: str, target: str, detail: str) -> None:
    """Note an act, now."""
    execute(conn, "audit_note", who=who, what=what, target=target, detail=detail)


def audit_latest(conn: Connection, *, limit: int = 100, before: int | None = None) -> list[Act]:
    """The last acts, the newest first; `before` is the id of the last that was read."""
    last = _LAST if before is None else before
    return rows(conn, "audit_latest", Act, before=last, rows=limit)


def audit_purges(conn: Connection, tag: str, *, since: datetime, limit: int) -> list[Act]:
    """The last purges of a tag by hand since a moment, the last first."""
    return rows(conn, "audit_purges", Act, tag=tag, since=since, rows=limit)


def audit_prune(conn: Connection, *, before: datetime, limit: int = 1_000) -> int:
    """Forget acts noted before a moment, the oldest first, `limit` at most; how many."""
    return execute(conn, "audit_prune", before=before, rows=limit)
