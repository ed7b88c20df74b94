"""The audit table, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from script.embedded import Postgres
from tests.stores import migrated_database
from tests.webapp.db import plans
from webapp.db.audit import audit_latest, audit_note, audit_prune, audit_purges

Conn = psycopg.Connection[Any]
ROWS = 20_000


@pytest.fixture(scope="module")
def filled(postgres: Postgres) -> Iterator[Conn]:
    """An act a minute."""
    with (
        migrated_database(postgres, "audited") as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        connection.execute(
            "insert into audit (at, who, what, target, detail)"
            " select now() - (%s - n) * interval '1 minute', 'admin', 'job retried', n::text, ''"
            " from generate_series(1, %s) n",
            (ROWS, ROWS),
        )
        connection.execute("vacuum analyze audit")
        yield connection


@pytest.fixture
def conn(filled: Conn) -> Iterator[Conn]:
    """What a test changes is undone."""
    with filled.transaction(force_rollback=True):
        yield filled


PARAMETERS = {
    "who": "admin",
    "what": "job retried",
    "target": "1",
    "detail": "",
    "tag": "repo:o/r",
    "since": datetime.now(UTC) - timedelta(hours=2),
    "rows": 100,
}


@pytest.mark.parametrize("name", plans.names_of("test_audit"))
def test_every_statement_is_served_by_the_indexes_it_names(conn: Conn, name: str) -> None:
    before: object = datetime.now(UTC) - timedelta(days=13)
    plans.assert_served_by_the_indexes_it_names(
        conn, name, {**PARAMETERS, "before": ROWS if name == "audit_latest" else before}
    )


def test_an_act_that_was_noted_is_the_latest(conn: Conn) -> None:
    audit_note(conn, who="admin", what="cache purged", target="repo:o/r", detail="hard")
    (act,) = audit_latest(conn, limit=1)
    assert (act.who, act.what, act.target, act.detail) == (
        *("admin", "cache purged", "repo:o/r", "hard"),
    )
    assert datetime.now(UTC) - act.at < timedelta(minutes=1)


def test_acts_are_read_further_back_by_the_last_ones_id(conn: Conn) -> None:
    first = audit_latest(conn, limit=2)
    second = audit_latest(conn, limit=2, before=first[-1].id)
    ids = [each.id for each in (*first, *second)]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 4


def test_purges_by_hand_are_found_by_the_tag(conn: Conn) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    for target in ("repo:o/r all", "repo:o/r2", "org:o repo:o/r"):
        audit_note(conn, who="admin", what="cache purged hard", target=target, detail="")
    audit_note(conn, who="admin", what="job retried", target="repo:o/r", detail="")
    found = audit_purges(conn, "repo:o/r", since=since, limit=9)
    assert [act.target for act in found] == ["org:o repo:o/r", "repo:o/r all"]


def test_old_acts_are_forgotten_some_at_a_time(conn: Conn) -> None:
    oldest = datetime.now(UTC) - timedelta(minutes=ROWS - 150)
    assert audit_prune(conn, before=oldest, limit=100) == 100
    assert 0 < audit_prune(conn, before=oldest, limit=100) <= 51
    assert audit_prune(conn, before=oldest, limit=100) == 0
