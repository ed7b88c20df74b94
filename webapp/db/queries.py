"""The database's statements: one `.sql` file each under queries/, one typed function each here.

A file's first comment lines say what it serves and which index serves it. Functions take an open
connection, raise what psycopg raises, and announce their time by `signals.query_ran`. Times are
aware datetimes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from webapp import signals

Connection = psycopg.Connection[Any]

_FOLDER = Path(__file__).with_name("queries")
KEPT_UNUSED = timedelta(days=7)
USE_NOTED_EVERY = timedelta(hours=1)


@cache
def load(name: str) -> LiteralString:
    """The statement of queries/<name>.sql, comments included: logs show what it serves."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def names() -> tuple[str, ...]:
    """Every statement there is."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.sql")))


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
    with _timed("archive_get"), conn.cursor(row_factory=class_row(ArchivedResponse)) as cursor:
        cursor.execute(load("archive_get"), {"key": key, "unused_since": now - KEPT_UNUSED})
        row = cursor.fetchone()
    if row is not None and row.used_at < now - USE_NOTED_EVERY:
        _execute(conn, "archive_use", key=key, now=now)
    return row


def archive_put(conn: Connection, row: ArchivedResponse) -> bool:
    """Keep an answer; False where it was refused.

    Refused: fetched before the held one was last confirmed, or before a hard purge of one of its
    tags that the journal knows.
    """
    values = asdict(row) | {"tags": list(row.tags), "headers": Jsonb(dict(row.headers))}
    return _execute(conn, "archive_put", **values) == 1


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
    return _execute(conn, "archive_touch", key=key, **values) == 1


def archive_delete(conn: Connection, key: str) -> bool:
    """Forget one answer; False where there was none."""
    return _execute(conn, "archive_delete", key=key) == 1


def archive_delete_tags(conn: Connection, tags: Sequence[str]) -> int:
    """Forget every answer that carries one of the tags; how many there were."""
    return _execute(conn, "archive_delete_tags", tags=list(tags))


def archive_prune(conn: Connection, *, now: datetime | None = None, rows: int = 1_000) -> int:
    """Forget answers unused for 7 days, the longest unused first, `rows` at most; how many."""
    unused_since = (now or datetime.now(UTC)) - KEPT_UNUSED
    return _execute(conn, "archive_prune", unused_since=unused_since, rows=rows)


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
    with _timed("purge_note"):
        row = conn.execute(load("purge_note"), values).fetchone()
    assert row is not None
    return int(row[0])


def purge_applied(conn: Connection, ids: Sequence[int]) -> int:
    """Note that Redis has heard these purges; how many were pending."""
    return _execute(conn, "purge_applied", ids=list(ids))


def purges_pending(conn: Connection, *, rows: int = 1_000) -> list[NotedPurge]:
    """What Redis has not heard, the oldest first."""
    with _timed("purges_pending"), conn.cursor(row_factory=class_row(NotedPurge)) as cursor:
        return cursor.execute(load("purges_pending"), {"rows": rows}).fetchall()


def purges_hard(conn: Connection, *, since: datetime) -> list[str]:
    """The tags that were purged hard since a moment."""
    with _timed("purges_hard"):
        rows = conn.execute(load("purges_hard"), {"since": since}).fetchall()
    return [row[0] for row in rows]


def purges_prune(conn: Connection, *, before: datetime) -> int:
    """Forget purges noted before a moment and applied; how many."""
    return _execute(conn, "purges_prune", before=before)


def _execute(conn: Connection, name: str, **values: object) -> int:
    """Run a statement that returns no rows; how many it changed."""
    with _timed(name), conn.cursor() as cursor:
        return cursor.execute(load(name), values).rowcount


class _timed(AbstractContextManager[None]):  # noqa: N801 - read as a word of the with statement
    """Announces a statement's time, also where it failed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        signals.query_ran.send(query=self._name, seconds=time.perf_counter() - self._began)
