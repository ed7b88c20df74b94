"""PostgreSQL: reached, migrated, with the extensions and the connections that Forewarm wants."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import psycopg

from webapp.db import migrate
from webapp.db.connection import one_line, patient
from webapp.db.conninfo import ConnectionPlan
from webapp.doctor.finding import Finding, counted, fail, listed, milliseconds, ok, warn
from webapp.errors import DatabaseUnavailable
from webapp.settings import Settings

TIMEOUT = 3.0  # seconds a statement
SLOW = 0.05  # seconds a round trip
WANTED = {"pg_trgm": "search in the catalog", "pg_stat_statements": "the dashboard's slow queries"}
NO_LIMIT = 1_000_000  # connections


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server says. `free` counts what others leave, ours included; None: a pooler's."""

    version: str
    latency: float
    extensions: frozenset[str]
    free: int | None


def check(settings: Settings) -> list[Finding]:
    """Ask it, judge, and compare its tables with the release's migrations."""
    try:
        facts = _probe(ConnectionPlan.of(settings.database_url))
    except psycopg.OperationalError as error:
        return [_unreached(one_line(error))]
    except psycopg.Error as error:
        return [_unreached(type(error).__name__)]  # its text may quote the URL
    return [*judge(facts, settings), _migrations(settings)]


def _probe(plan: ConnectionPlan) -> Facts:
    parameters = plan.parameters(application_name="forewarm doctor", statement_timeout=TIMEOUT)
    with patient(TIMEOUT).connect(plan.conninfo.reveal(), **parameters) as conn:
        began = time.perf_counter()
        conn.execute("select 1")
        latency = time.perf_counter() - began
        version = conn.execute("select current_setting('server_version')").fetchone()
        extensions = conn.execute("select extname from pg_extension").fetchall()
        return Facts(
            version=str(version[0]).partition(" ")[0] if version else "?",
            latency=latency,
            extensions=frozenset(str(row[0]) for row in extensions),
            # Behind a pooler the server's connections are the pooler's business.
            free=None if plan.pgbouncer else _free(conn),
        )


def _free(conn: psycopg.Connection[Any]) -> int:
    """The least of what server, role and database leave. Rows of others hide all but ids."""
    row = conn.execute(
        """
        with here as (select datid, usename, application_name from pg_stat_activity
                      where datid is not null)
        select current_setting('max_connections')::int
                 - current_setting('superuser_reserved_connections')::int
                 - coalesce(current_setting('reserved_connections', true)::int, 0)
                 - (select count(*) from here),
               (select rolconnlimit from pg_roles where rolname = current_user),
               (select count(*) from here where usename = current_user),
               (select datconnlimit from pg_database where datname = current_database()),
               (select count(*) from here join pg_database on oid = datid
                where datname = current_database()),
               (select count(*) from here
                where usename = current_user and application_name like 'forewarm%')
        """
    ).fetchone()
    assert row is not None
    server, role, of_role, database, of_database, ours = (int(value) for value in row)
    left = min(
        server,
        role - of_role if role >= 0 else NO_LIMIT,
        database - of_database if database >= 0 else NO_LIMIT,
    )
    return left + ours


def judge(facts: Facts, settings: Settings) -> list[Finding]:
    """Pure."""
    return [_reached(facts), _extensions(facts), _connections(facts, settings)]


def _unreached(reason: str) -> Finding:
    return fail(
        "server", f"can't be reached, serving without the archive: {reason}", "see DATABASE_URL"
    )


def _reached(facts: Facts) -> Finding:
    found = f"PostgreSQL {facts.version}, {milliseconds(facts.latency)} a round trip"
    if facts.latency > SLOW:
        return warn("server", f"{found}: slow", "put DATABASE_URL's server nearer")
    return ok("server", found)


def _extensions(facts: Facts) -> Finding:
    missing = [name for name in WANTED if name not in facts.extensions]
    if not missing:
        return ok("extensions", listed(WANTED))
    uses = listed(f"{name} ({WANTED[name]})" for name in missing)
    orders = "; ".join(f"create extension {name}" for name in missing)
    return warn("extensions", f"missing: {uses}", f"as the database's owner: {orders}")


def _connections(facts: Facts, settings: Settings) -> Finding:
    """The pools of the web processes and of one worker process."""
    name = "connections"
    wanted = settings.database_pool * (settings.web_concurrency + 1)
    if facts.free is None:
        return ok(name, f"behind a pooler (pgbouncer=true); web and a worker may open {wanted}")
    found = f"{facts.free} free, web and a worker may open {wanted}"
    if facts.free < wanted:
        return warn(name, found, "lower DATABASE_POOL, or raise the server's or the plan's limit")
    return ok(name, found)


def _migrations(settings: Settings) -> Finding:
    name = "migrations"
    try:
        rows = migrate.status(settings.database_url)
    except (DatabaseUnavailable, migrate.MigrationRefused) as error:
        return fail(name, str(error), "see DATABASE_URL")
    for row in rows:
        if row.problem:
            problem, _, cure = row.problem.partition(": ")
            return fail(name, f"{row.version:04}_{row.name} is {problem}", cure)
    pending = [row for row in rows if row.applied_at is None]
    if pending:
        found = f"{counted(len(pending), 'migration')} of {len(rows)} not applied"
        return fail(name, found, "run: flask --app wsgi db upgrade")
    return ok(name, f"{counted(len(rows), 'migration')}, all applied")
