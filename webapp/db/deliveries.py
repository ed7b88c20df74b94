"""The statements of the journal of webhook deliveries, and of the lists that counters change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from webapp.db import statements
from webapp.db.statements import Connection, execute, load, timed

PRUNED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A row of webhook_deliveries; the migration's comments say what each column holds."""

    delivery: str
    event: str
    action: str
    owner: str
    repo: str
    hard_tags: Sequence[str]
    soft_tags: Sequence[str]
    list_tags: Sequence[str]
    received_at: datetime
    lag: float | None = None
    duplicates: int = 0
    purged_at: datetime | None = None
    looks_done: int = 0
    next_look_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many deliveries of an event and action came; `lag_p95` in seconds."""

    event: str
    action: str
    deliveries: int
    duplicates: int
    ignored: int
    lag_p95: float | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A list's tag: whether it may be purged `now`, and when it is owed again."""

    tag: str
    now: bool
    due_at: datetime


@dataclass(frozen=True, slots=True)
class OwedList:
    """A list's tag whose pause is over, and what last made it untrue."""

    tag: str
    cause: str
    detail: str


def delivery_note(conn: Connection, row: Delivery) -> int:
    """Journal a delivery as not yet purged; how often it came before."""
    values = asdict(row) | {
        "hard_tags": list(row.hard_tags),
        "soft_tags": list(row.soft_tags),
        "list_tags": list(row.list_tags),
    }
    with timed("delivery_note"):
        found = conn.execute(load("delivery_note"), values).fetchone()
    assert found is not None
    return int(found[0])


def delivery_purged(conn: Connection, delivery: str, *, now: datetime) -> None:
    """Note that its purges are done."""
    execute(conn, "delivery_purged", delivery=delivery, now=now)


def delivery_looked(
    conn: Connection, delivery: str, number: int, *, next_look_at: datetime | None
) -> None:
    """Note its look of that number, from 1, and when the next is due."""
    execute(conn, "delivery_looked", delivery=delivery, number=number, next_look_at=next_look_at)


def delivery_succeeded(conn: Connection, delivery: str, number: int) -> bool:
    """Whether a later delivery has purged all of its tags and has its own look of that number
    still to come."""
    with timed("delivery_succeeded"):
        found = conn.execute(
            load("delivery_succeeded"), {"delivery": delivery, "number": number}
        ).fetchone()
    return found is not None


def delivery_get(conn: Connection, delivery: str) -> Delivery | None:
    """One delivery; None where it isn't known."""
    return statements.row(conn, "delivery_get", Delivery, delivery=delivery)


def deliveries_due(conn: Connection, *, before: datetime, rows: int) -> list[Delivery]:
    """Deliveries with a look due before a moment, locked until the transaction's end."""
    return statements.rows(conn, "deliveries_due", Delivery, before=before, rows=rows)


def deliveries_recent(conn: Connection, *, since: datetime, rows: int) -> list[Delivery]:
    """The last `rows` deliveries since a moment, the last first."""
    return statements.rows(conn, "deliveries_recent", Delivery, since=since, rows=rows)


def deliveries_of_repo(conn: Connection, owner: str, repo: str, *, rows: int) -> list[Delivery]:
    """The last `rows` deliveries about a repository (names in lower case), the last first."""
    return statements.rows(conn, "deliveries_of_repo", Delivery, owner=owner, repo=repo, rows=rows)


def deliveries_counted(conn: Connection, *, since: datetime) -> list[Counted]:
    """Deliveries since a moment by event and action, the most frequent first."""
    return statements.rows(conn, "deliveries_counted", Counted, since=since)


def deliveries_prune(conn: Connection, *, before: datetime, rows: int = PRUNED_AT_ONCE) -> int:
    """Forget deliveries received before a moment, the oldest first, `rows` at most; how many."""
    return execute(conn, "deliveries_prune", before=before, rows=rows)


def list_purge_claim(
    conn: Connection,
    tags: Sequence[str],
    *,
    now: datetime,
    pause: timedelta,
    cause: str,
    detail: str,
) -> list[Claim]:
    """Note that a counter has changed these lists; which of them may be purged now."""
    return statements.rows(
        conn,
        "list_purge_claim",
        Claim,
        tags=list(tags),
        now=now,
        pause=pause,
        cause=cause,
        detail=detail,
    )


def list_purges_due(conn: Connection, *, now: datetime, rows: int) -> list[OwedList]:
    """Lists owed a purge, locked until the transaction's end."""
    return statements.rows(conn, "list_purges_due", OwedList, now=now, rows=rows)


def list_purges_done(
    conn: Connection, tags: Sequence[str], *, now: datetime, pause: timedelta, lag: timedelta
) -> list[str]:
    """Note that they are purged; those owed once more, as they changed within `lag` before now."""
    values = {"tags": list(tags), "now": now, "pause": pause, "lag": lag}
    with timed("list_purges_done"):
        found = conn.execute(load("list_purges_done"), values).fetchall()
    return [tag for tag, owed in found if owed]


def list_purges_prune(conn: Connection, *, before: datetime, rows: int = PRUNED_AT_ONCE) -> int:
    """Forget lists that were purged before a moment and are owed nothing; how many."""
    return execute(conn, "list_purges_prune", before=before, rows=rows)
