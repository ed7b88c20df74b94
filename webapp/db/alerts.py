"""The statements of alerts, silences, and of the messages that tell of them (see statements.py)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from webapp.db import statements
from webapp.db.statements import Connection, execute, execute_many

ROWS = 5_000
CLOCK = "evaluation"


@dataclass(frozen=True, slots=True)
class AlertClock:
    """When rules were last evaluated, when to look again (None: at the next evaluation), and what
    time the server has."""

    evaluated_at: datetime
    wake_at: datetime | None
    now: datetime


@dataclass(frozen=True, slots=True)
class AlertRow:
    """A row of alerts; telemetry/alerts/alert.py gives it its types."""

    rule: str
    severity: str
    subject: str
    state: str
    since: datetime
    value: float | None
    fired_at: datetime | None
    resolved_at: datetime | None
    told_at: datetime | None
    runs: int


@dataclass(frozen=True, slots=True)
class AlertChange:
    """A row of alert_changes."""

    at: datetime
    rule: str
    severity: str
    subject: str
    was: str
    became: str
    value: float | None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A row of alert_groups."""

    name: str
    waiting_since: datetime | None
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """A row of silences; rule and subject None match any."""

    id: int
    rule: str | None
    subject: str | None
    reason: str
    created_by: str
    created_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message to deliver, on its `attempts`-th try."""

    id: int
    body: Mapping[str, Any]
    created_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class WaitingMessages:
    """How many messages wait for a receiver, since when, and what it said."""

    waiting: int
    since: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class WebhookOwner:
    """How many deliveries came of an owner, and when the last did."""

    owner: str
    deliveries: int
    last: datetime


@dataclass(frozen=True, slots=True)
class _Locked:
    locked: bool


def alert_lock(conn: Connection) -> bool:
    """Whether this transaction is the one that evaluates."""
    row = statements.row(conn, "alert_lock", _Locked)
    return row is not None and row.locked


def alert_clock_read(conn: Connection) -> AlertClock:
    """When rules were last evaluated."""
    row = statements.row(conn, "alert_clock_read", AlertClock, clock=CLOCK)
    assert row is not None
    return row


def alert_clock_set(conn: Connection, *, evaluated_at: datetime, wake_at: datetime | None) -> None:
    """Note an evaluation."""
    values = {"evaluated_at": evaluated_at, "wake_at": wake_at}
    execute(conn, "alert_clock_set", clock=CLOCK, **values)


def alerts_all(conn: Connection) -> list[AlertRow]:
    """Every alert that is not simply ok, by name."""
    return statements.rows(conn, "alerts_all", AlertRow, rows=ROWS)


def alert_put(conn: Connection, alerts: Iterable[AlertRow]) -> None:
    """Keep alerts as they are now."""
    execute_many(conn, "alert_put", [asdict(each) for each in alerts])


def alert_delete(conn: Connection, rule: str, severity: str, subject: str) -> None:
    """Forget one."""
    execute(conn, "alert_delete", rule=rule, severity=severity, subject=subject)


def alert_change_add(conn: Connection, changes: Iterable[AlertChange]) -> None:
    """Add to the history."""
    execute_many(conn, "alert_change_add", [asdict(each) for each in changes])


def alert_changes_recent(
    conn: Connection, *, since: datetime, rows: int = 200
) -> list[AlertChange]:
    """The history since a moment, the latest first."""
    return statements.rows(conn, "alert_changes_recent", AlertChange, since=since, rows=rows)


def alert_changes_prune(conn: Connection, *, before: datetime) -> int:
    """Forget older history; how much."""
    return execute(conn, "alert_changes_prune", before=before)


def alert_groups_all(conn: Connection) -> list[GroupRow]:
    """What receivers know, by group."""
    return statements.rows(conn, "alert_groups_all", GroupRow, rows=ROWS)


def alert_group_put(conn: Connection, groups: Iterable[GroupRow]) -> None:
    """Keep what receivers know."""
    execute_many(conn, "alert_group_put", [asdict(each) for each in groups])


def silence_add(
    conn: Connection,
    *,
    rule: str | None,
    subject: str | None,
    reason: str,
    created_by: str,
    created_at: datetime,
    ends_at: datetime,
) -> SilenceRow:
    """Add a silence."""
    values = {"rule": rule, "subject": subject, "reason": reason, "created_by": created_by}
    row = statements.row(
        conn, "silence_add", SilenceRow, **values, created_at=created_at, ends_at=ends_at
    )
    assert row is not None
    return row


def silence_end(conn: Connection, id: int, *, now: datetime) -> bool:  # noqa: A002
    """End a silence; False where none of this id holds."""
    return execute(conn, "silence_end", id=id, now=now) == 1


def silences_active(conn: Connection, *, now: datetime) -> list[SilenceRow]:
    """Those that hold, the first to end first."""
    return statements.rows(conn, "silences_active", SilenceRow, now=now, rows=ROWS)


def silences_prune(conn: Connection, *, before: datetime) -> int:
    """Forget silences that ended before; how many."""
    return execute(conn, "silences_prune", before=before)


def alert_outbox_add(
    conn: Connection, receivers: Iterable[str], body: Mapping[str, Any], *, now: datetime
) -> None:
    """Have a message delivered to each receiver."""
    messages = [{"receiver": each, "body": Jsonb(dict(body)), "now": now} for each in receivers]
    execute_many(conn, "alert_outbox_add", messages)


def alert_outbox_claim(
    conn: Connection, receiver: str, *, now: datetime, until: datetime
) -> OutgoingMessage | None:
    """A receiver's first message if it is due, for this process alone until a moment."""
    return statements.row(
        conn, "alert_outbox_claim", OutgoingMessage, receiver=receiver, now=now, until=until
    )


def alert_outbox_done(
    conn: Connection,
    id: int,  # noqa: A002
    *,
    now: datetime,
    result: str,
    error: str | None = None,
) -> None:
    """A message is `sent`, or `refused` for good."""
    execute(conn, "alert_outbox_done", id=id, now=now, result=result, error=error)


def alert_outbox_put_off(
    conn: Connection,
    id: int,  # noqa: A002
    *,
    next_try_at: datetime,
    error: str,
) -> None:
    """A message is tried again later."""
    execute(conn, "alert_outbox_put_off", id=id, next_try_at=next_try_at, error=error)


def alert_outbox_give_up(conn: Connection, *, now: datetime, before: datetime) -> int:
    """Give up messages that have waited since before a moment; how many."""
    return execute(conn, "alert_outbox_give_up", now=now, before=before)


def alert_outbox_waiting(conn: Connection, receiver: str) -> WaitingMessages:
    """What waits for a receiver."""
    row = statements.row(conn, "alert_outbox_waiting", WaitingMessages, receiver=receiver)
    assert row is not None
    return row


def alert_outbox_prune(conn: Connection, *, before: datetime) -> int:
    """Forget messages that were done with before a moment; how many."""
    return execute(conn, "alert_outbox_prune", before=before)


def alert_webhook_owners(
    conn: Connection, *, since: datetime, rows: int = 500
) -> list[WebhookOwner]:
    """Who sent webhooks since a moment, the most first."""
    return statements.rows(conn, "alert_webhook_owners", WebhookOwner, since=since, rows=rows)
