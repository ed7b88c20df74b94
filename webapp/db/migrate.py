"""Numbered migrations, forwards only: each file of migrations/ once, in order, in a transaction.

Safe twice and at once: a transaction-scoped advisory lock lets one runner in (a session's lock
would not hold behind a transaction pooler), and the next one then sees what is done. A file that
changed after it was applied, or a database newer than this release, is refused before anything
is touched.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from webapp.db.connection import one_line
from webapp.db.conninfo import ConnectionPlan
from webapp.errors import DatabaseUnavailable, ForewarmError
from webapp.secret import Secret

FOLDER = Path(__file__).with_name("migrations")
# Any number, as long as it is the same for every release.
_LOCK = 4_927_310_662
_LOCK_TIMEOUT = "60s"
_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

_CREATE_TABLE: LiteralString = """
create table if not exists schema_migrations (
    version    integer primary key,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default now()
);
comment on table schema_migrations is 'which files of migrations/ were applied, and their SHA-256';
"""


class MigrationRefused(ForewarmError):
    """The files and the database don't fit; nothing was changed. str() is one line."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `checksum` is SHA-256 in hex, over its text with plain line breaks."""

    version: int
    name: str
    sql: LiteralString
    checksum: str

    def __str__(self) -> str:
        return f"{self.version:04}_{self.name}"


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """One migration, known to the release, the database or both."""

    version: int
    name: str
    applied_at: datetime | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Applied:
    version: int
    name: str
    checksum: str
    applied_at: datetime


def read(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """The release's migrations, by number. Raises MigrationRefused on a bad name or number."""
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationRefused(f"{path.name} is not named like 0001_some_words.sql")
        sql = path.read_text(encoding="utf-8")
        digest = hashlib.sha256(sql.encode()).hexdigest()
        migrations.append(Migration(int(match[1]), match[2], sql, digest))
    for expected, migration in enumerate(migrations, 1):
        if migration.version != expected:
            raise MigrationRefused(f"{migration} should have the number {expected:04}")
    return tuple(migrations)


def upgrade(database_url: Secret, folder: Path = FOLDER) -> list[Migration]:
    """Apply what is missing; returns it. Raises MigrationRefused or DatabaseUnavailable."""
    migrations = read(folder)
    done = []
    with _connected(database_url) as conn:
        with conn.transaction():
            _lock(conn)
            conn.execute(_CREATE_TABLE)
        for migration in migrations:
            with conn.transaction():
                _lock(conn)
                # Looked at again under each file's lock: another runner may have been faster.
                applied = _applied(conn)
                _refuse_misfits(migrations, applied)
                if migration.version in applied:
                    continue
                _apply(conn, migration)
                done.append(migration)
    return done


def status(database_url: Secret, folder: Path = FOLDER) -> list[MigrationStatus]:
    """Every migration by number, with when it was applied and what is wrong with it."""
    migrations = read(folder)
    with _connected(database_url) as conn:
        exists = conn.execute("select to_regclass('schema_migrations') is not null").fetchone()
        applied = _applied(conn) if exists and exists[0] else {}
    rows = {m.version: MigrationStatus(m.version, m.name, None) for m in migrations}
    for row in applied.values():
        problem = _problem(row, migrations)
        rows[row.version] = MigrationStatus(row.version, row.name, row.applied_at, problem)
    return [rows[version] for version in sorted(rows)]


def _problem(row: _Applied, migrations: tuple[Migration, ...]) -> str | None:
    if row.version > len(migrations):
        return "unknown to this release: deploy the release that made it"
    if row.checksum != migrations[row.version - 1].checksum:
        return "changed after it was applied: restore the file, write a new migration instead"
    return None


def _refuse_misfits(migrations: tuple[Migration, ...], applied: Mapping[int, _Applied]) -> None:
    for row in applied.values():
        if problem := _problem(row, migrations):
            raise MigrationRefused(f"migration {row.version:04}_{row.name} is {problem}")


def _applied(conn: psycopg.Connection[Any]) -> dict[int, _Applied]:
    rows = conn.execute(
        "select version, name, checksum, applied_at from schema_migrations order by version"
    )
    return {row[0]: _Applied(*row) for row in rows}


def _apply(conn: psycopg.Connection[Any], migration: Migration) -> None:
    try:
        # Several statements at once, which is why they take no parameters.
        conn.execute(migration.sql)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise MigrationRefused(f"migration {migration} failed: {one_line(error)}") from error
    conn.execute(
        "insert into schema_migrations (version, name, checksum) values (%s, %s, %s)",
        (migration.version, migration.name, migration.checksum),
    )


def _lock(conn: psycopg.Connection[Any]) -> None:
    conn.execute("select set_config('lock_timeout', %s, true)", (_LOCK_TIMEOUT,))
    conn.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))


@contextmanager
def _connected(database_url: Secret) -> Iterator[psycopg.Connection[Any]]:
    plan = ConnectionPlan.of(database_url)
    try:
        with plan.connected("forewarm migrate") as conn:
            yield conn
    except DatabaseUnavailable as error:
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            raise DatabaseUnavailable("another upgrade, or a long query, holds the lock") from error
        raise
    except psycopg.Error as error:
        raise MigrationRefused(f"the database refuses: {one_line(error)}") from error
