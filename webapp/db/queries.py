"""The statements of the archive and of the purge journal (see statements.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from psycopg.types.json import Jsonb

from webapp.db import statements
from webapp.db.statements import Connection, execute, load, timed

KEPT_UNUSED = timedelta(days=7)
USE_NOTED_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedResponse:
    """A row of upstream_responses; the migration's comments say what each column holds."""

    key: str
    path: str
    tags: Sequence[str]
    status: int
    accept: str
    api_version: str
    etag: str | None
    last_modified: str | None
    link: str | None
    content_type: str | None
    request_id: str | None
    headers: Mapping[str, str]
    body: bytes
    fetched_at: datetime
    confirmed_at: datetime
    used_at: datetime
    credential: str | None = None


def archive_get(
    conn: Connection, key: str, *, now: datetime | None = None
) -> ArchivedResponse | None:
    """The archived answer, unless nobody used it for 7 days. Notes its use, hourly."""
    now = now or datetime.now(UTC)
    row = statements.row(
        conn, "archive_get", ArchivedResponse, key=key, unused_since=now - KEPT_UNUSED
    )
    if row is not None and row.used_at < now - USE_NOTED_EVERY:
        execute(conn, "archive_use", key=key, now=now)
    return row


def archive_put(conn: Connection, row: ArchivedResponse) -> bool:
    """Keep an answer; False where it was refused.

    Refused: fetched before the held one was last confirmed, or before a hard purge of one of its
    tags that the journal knows.
    """
    values = asdict(row) | {"tags": list(row.tags), "headers": Jsonb(dict(row.headers))}
    return execute(conn, "archive_put", **values) == 1


def archive_touch(
    conn: Connection,
    key: str,
    *,
    fetched_at: datetime,
    confirmed_at: datetime,
    etag: str | None = None,
    last_modified: str | None = None,
    credential: str | None = None,
) -> bool:
    """Note a 304 for the answer fetched at `fetched_at`; False where it is no longer held.

    A validator that is None keeps its old value.
    """
    values = {
        "fetched_at": fetched_at,
        "confirmed_at": confirmed_at,
        "etag": etag,
        "last_modified": last_modified,
        "credential": credential,
    }
    return execute(conn, "archive_touch", key=key, **values) == 1


def archive_delete(conn: Connection, key: str) -> bool:
    """Forget one answer; False where there was none."""
    return execute(conn, "archive_delete", key=key) == 1


def archive_delete_tags(conn: Connection, tags: Sequence[str]) -> int:
    """Forget every answer that carries one of the tags; how many there were."""
    return execute(conn, "archive_delete_tags", tags=list(tags))


def archive_prune(conn: Connection, *, now: datetime | None = None, rows: int = 1_000) -> int:
    """Forget answers unused for 7 days, the longest unused first, `rows` at most; how many."""
    unused_since = (now or datetime.now(UTC)) - KEPT_UNUSED
    return execute(conn, "archive_prune", unused_since=unused_since, rows=rows)


@dataclass(frozen=True, slots=True)
class NotedPurge:
    """A row of the purge journal that Redis has not heard."""

    id: int
    tags: Sequence[str]
    hard: bool
    cause: str
    detail: str


def purge_note(
    conn: Connection, tags: Sequence[str], *, hard: bool, cause: str, detail: str
) -> int:
    """Note a purge as pending; its id."""
    values = {"tags": list(tags), "hard": hard, "cause": cause, "detail": detail}
    with timed("purge_note"):
        row = conn.execute(load("purge_note"), values).fetchone()
    assert row is not None
    return int(row[0])


def purge_applied(conn: Connection, ids: Sequence[int]) -> int:
    """Note that Redis has heard these purges; how many were pending."""
    return execute(conn, "purge_applied", ids=list(ids))


def purges_pending(conn: Connection, *, after: int = 0, rows: int = 1_000) -> list[NotedPurge]:
    """A page of what Redis has not heard, the oldest first, of ids beyond `after`."""
    return statements.rows(conn, "purges_pending", NotedPurge, after=after, rows=rows)


def purges_hard(conn: Connection, *, since: datetime) -> list[str]:
    """The tags that were purged hard since a moment."""
    with timed("purges_hard"):
        rows = conn.execute(load("purges_hard"), {"since": since}).fetchall()
    return [row[0] for row in rows]


@dataclass(frozen=True, slots=True)
class JournalledPurge:
    """A row of the purge journal; `applied_at` is None while Redis has not heard it."""

    hard: bool
    cause: str
    detail: str
    created_at: datetime
    applied_at: datetime | None


def purges_of_tag(
    conn: Connection, tag: str, *, since: datetime, rows: int
) -> list[JournalledPurge]:
    """The last `rows` noted purges of a tag since a moment, the last first."""
    return statements.rows(conn, "purges_of_tag", JournalledPurge, tag=tag, since=since, rows=rows)


def purges_prune(conn: Connection, *, before: datetime, rows: int = 1_000) -> int:
    """Forget purges noted before a moment and applied, the oldest first, `rows` at most."""
    return execute(conn, "purges_prune", before=before, rows=rows)
