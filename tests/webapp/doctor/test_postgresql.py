"""PostgreSQL: reached, migrated, with extensions and connections, on a real server."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from script.embedded import Postgres
from tests.webapp.doctor.asking import finding, findings
from webapp.doctor.finding import State


def stores(database_url: str) -> dict[str, str]:
    return {
        "HOST": "127.0.0.1",
        "REDIS_URL": "redis://127.0.0.1:1",
        "DATABASE_URL": database_url,
    }


@pytest.fixture
def empty(empty_database_url: str) -> dict[str, str]:
    return stores(empty_database_url)


@pytest.fixture
def migrated(database_url: str) -> dict[str, str]:
    return stores(database_url)


def order(database_url: str, sql: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(sql)


def test_a_migrated_database_is_ok(migrated: dict[str, str]) -> None:
    found = findings("postgres", migrated)
    assert [each for each in found if each.state is not State.OK] == []


def test_the_version_is_told(migrated: dict[str, str]) -> None:
    assert finding("postgres", "server", migrated).reason.startswith("PostgreSQL 18.")


def test_pending_migrations_fail_and_name_the_command(empty: dict[str, str]) -> None:
    found = finding("postgres", "migrations", empty)
    assert (found.state, found.action) == (State.FAIL, "run: flask --app wsgi db upgrade")


def test_a_changed_migration_fails(migrated: dict[str, str], database_url: str) -> None:
    order(database_url, "update schema_migrations set checksum = 'x' where version = 1")
    found = finding("postgres", "migrations", migrated)
    assert (found.state, "changed after" in found.reason) == (State.FAIL, True)


@pytest.fixture
def plain_database(postgres: Postgres) -> Iterator[str]:
    """A database as a server makes it without being asked for more."""
    with psycopg.connect(postgres.url, autocommit=True) as conn:
        conn.execute("create database plain template template0")
        yield postgres.url_of("plain")
        conn.execute("drop database plain with (force)")


@pytest.mark.usefixtures("database_url")
def test_a_missing_extension_is_warned_of(plain_database: str) -> None:
    found = finding("postgres", "extensions", stores(plain_database))
    assert (found.state, "create extension pg_trgm" in found.action) == (State.WARN, True)


def test_pools_larger_than_what_is_free_are_warned_of(migrated: dict[str, str]) -> None:
    found = finding("postgres", "connections", migrated, DATABASE_POOL="1000")
    assert (found.state, "DATABASE_POOL" in found.action) == (State.WARN, True)


def test_a_limit_of_the_database_counts(migrated: dict[str, str], database_url: str) -> None:
    name = database_url.rpartition("/")[2].partition("?")[0]
    order(database_url, f"alter database {name} connection limit 3")
    found = finding("postgres", "connections", migrated)
    assert (found.state, found.reason[:6]) == (State.WARN, "3 free")


def test_our_own_connections_are_not_held_against_us(
    migrated: dict[str, str], database_url: str
) -> None:
    before = finding("postgres", "connections", migrated).reason
    with psycopg.connect(database_url, application_name="forewarm"):
        assert finding("postgres", "connections", migrated).reason == before


def test_behind_a_pooler_connections_are_its_business(
    migrated: dict[str, str], database_url: str
) -> None:
    url = f"{database_url}{'&' if '?' in database_url else '?'}pgbouncer=true"
    assert "pooler" in finding("postgres", "connections", migrated, DATABASE_URL=url).reason


def test_a_wrong_password_fails_without_showing_it(
    migrated: dict[str, str], postgres: Postgres
) -> None:
    url = f"postgresql://forewarm:hunter2@127.0.0.1:{postgres.port}/forewarm"
    found = finding("postgres", "server", migrated, DATABASE_URL=url)
    assert (found.state, "hunter2" in found.reason) == (State.FAIL, False)


def test_a_server_that_hangs_fails(migrated: dict[str, str], postgres: Postgres) -> None:
    postgres.pause()
    assert finding("postgres", "server", migrated).state is State.FAIL
