"""What PostgreSQL tells of itself, as an ordinary role sees it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from webapp.db import condition
from webapp.db.statements import Connection


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def test_the_server_tells_its_connections_and_size(conn: Connection) -> None:
    server = condition.database_server(conn)
    assert 1 <= server.connections <= server.connections_most
    assert server.bytes > 1_000_000
    assert server.longest_seconds >= 0


def test_tables_and_indexes_come_largest_first(conn: Connection) -> None:
    conn.execute("create table large as select n from generate_series(1, 200000) n")
    conn.execute("create index large_n on large (n)")
    assert condition.database_tables(conn)[0].name == "large"
    assert condition.database_indexes(conn)[0].name == "large_n"


def test_an_index_that_keeps_rows_unique_is_told_apart(conn: Connection) -> None:
    kinds = {each.name: each.is_constraint for each in condition.database_indexes(conn)}
    assert kinds["schema_migrations_pkey"]
    assert not kinds["webhook_deliveries_received_at"]
