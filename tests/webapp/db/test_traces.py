"""Traces in PostgreSQL: six hours at a time, searched by index, bounded by age and by size."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from script.embedded import Postgres
from tests.stores import migrated_database
from tests.webapp.db import plans
from webapp.db import traces
from webapp.db.traces import DetailedTransaction, Search

NOW = datetime(2026, 3, 7, 13, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def transaction(number: int, began: datetime, **fields: Any) -> DetailedTransaction:
    values: dict[str, Any] = {
        "began": began,
        "trace_id": UUID(int=number + 1),
        "transaction_id": f"{number:016x}",
        "parent_id": None,
        "kind": "request",
        "name": f"GET route{number % 40}",
        "resource": "repo",
        "outcome": "MISS",
        "result": "HTTP 2xx",
        "ms": float(number % 997),
        "failed": number % 50 == 0,
        "kept": "sampled",
        "detail": {"spans": [], "url": "x" * 200},
    }
    return DetailedTransaction(**{**values, **fields})


@contextmanager
def migrated(postgres: Postgres, name: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database of that name, dropped afterwards."""
    with (
        migrated_database(postgres, name) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        yield connection


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    with migrated(postgres, "traces_empty") as connection:
        yield connection


@pytest.fixture
def conn(database: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """Without any table for traces to go into."""
    for name in tables(database):
        database.execute(f"drop table {name}, {name.replace('traces', 'trace_details')}")
    database.execute("set timezone to 'UTC'")
    return database


def add(conn: psycopg.Connection[Any], *transactions: DetailedTransaction) -> None:
    for moment in {each.began for each in transactions}:
        traces.traces_room(conn, moment=moment)
    traces.trace_add(conn, transactions)
    traces.trace_detail_add(conn, transactions)


@pytest.fixture(scope="module")
def filled(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    """A day of 5,000 transactions in five tables."""
    moments = random.Random(7)
    rows = [transaction(number, NOW - moments.random() * 24 * HOUR) for number in range(5_000)]
    with migrated(postgres, "traces_filled") as connection:
        for hours in range(0, 30, 6):
            traces.traces_room(connection, moment=NOW - hours * HOUR)
        traces.trace_add(connection, rows)
        traces.trace_detail_add(connection, rows)
        connection.execute("analyze")
        yield connection


SEARCH = Search(since=NOW - HOUR, until=NOW, limit=100, route="GET route7")
OF_A_DAY = replace(SEARCH, since=NOW - 24 * HOUR)
COLUMNS = {**traces._columns(transaction(1, NOW)), "detail": "{}"}
PARAMETERS: dict[str, Mapping[str, object]] = {
    "trace_add": COLUMNS,
    "trace_detail_add": COLUMNS,
    "trace_get": {"trace_id": UUID(int=77), "limit": 500},
    "traces_calls": {
        "api_url": "https://api.github.com/",
        "since": NOW - HOUR,
        "until": NOW,
        "traces": 100,
        "rows": 10,
    },
    "traces_failed": traces._columns(replace(OF_A_DAY, route=None)),
    "traces_of_route": traces._columns(OF_A_DAY),
    "traces_prune": {"before": NOW, "bytes_most": 1},
    "traces_recent": traces._columns(SEARCH),
    "traces_room": {"moment": NOW},
}


@pytest.mark.parametrize("name", plans.names_of("test_traces"))
def test_a_statement_is_served_by_the_indexes_it_names(
    filled: psycopg.Connection[Any], name: str
) -> None:
    plans.assert_served_by_the_indexes_it_names(filled, name, PARAMETERS[name])


def test_the_newest_come_first_and_no_more_than_asked_for(
    filled: psycopg.Connection[Any],
) -> None:
    found = traces.traces_recent(filled, Search(since=NOW - 24 * HOUR, until=NOW, limit=50))
    assert len(found) == 50
    assert [each.began for each in found] == sorted((each.began for each in found), reverse=True)


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({"route": "GET route7"}, lambda each: each.name == "GET route7"),
        ({"at_least_ms": 990.0}, lambda each: each.ms >= 990),
        ({"outcome": "HIT"}, lambda _: False),
    ],
)
def test_conditions_hold(filled: psycopg.Connection[Any], wanted: Any, fits: Any) -> None:
    search = replace(OF_A_DAY, **{"limit": 500, "route": None, **wanted})
    every = traces.traces_of_route if "route" in wanted else traces.traces_recent
    found = every(filled, search)
    assert all(map(fits, found))
    assert bool(found) == (wanted.get("outcome") is None)
    assert all(fits(each) and each.failed for each in traces.traces_failed(filled, search))


def test_a_trace_is_all_of_its_transactions(conn: psycopg.Connection[Any]) -> None:
    of = {"trace_id": UUID(int=5)}
    add(
        conn,
        transaction(1, NOW, **of, detail={"spans": [["a", None, 1.0]]}),
        transaction(2, NOW + 8 * HOUR, **of, parent_id="a"),
        transaction(3, NOW),
    )
    found = traces.trace_get(conn, UUID(int=5))
    assert [each.transaction_id for each in found] == [f"{1:016x}", f"{2:016x}"]
    assert found[0].detail == {"spans": [["a", None, 1.0]]}
    assert traces.trace_get(conn, UUID(int=6)) == []


def test_the_slowest_urls_called_are_told_without_their_queries(
    conn: psycopg.Connection[Any],
) -> None:
    def call(ms: float, url: str) -> list[object]:
        return ["a", None, 1.0, ms, "GET api", "external.http", False, 1, {"url": url}]

    api = "https://api.github.com/"
    spans = [call(20.0, f"{api}repos/a/b?page=2"), call(9.0, "https://elsewhere/"), ["x"] * 9]
    add(
        conn,
        transaction(1, NOW, trace_id=UUID(int=5), detail={"spans": spans}),
        transaction(
            2, NOW, trace_id=UUID(int=6), detail={"spans": [call(40.0, f"{api}repos/a/b")]}
        ),
        transaction(3, NOW, detail={"spans": [call(30.0, f"{api}orgs/a")]}),
    )
    period = {"since": NOW - HOUR, "until": NOW + HOUR}
    found = traces.traces_calls(conn, api, traces=100, limit=9, **period)
    assert [(each.url, each.calls, each.mean_ms, each.most_ms) for each in found] == [
        (f"{api}repos/a/b", 2, 30.0, 40.0),
        (f"{api}orgs/a", 1, 30.0, 30.0),
    ]
    assert found[0].trace_id == UUID(int=6)


# Room


def tables(conn: psycopg.Connection[Any]) -> list[str]:
    rows = conn.execute(
        "select relname from pg_inherits join pg_class on oid = inhrelid"
        " where inhparent = 'traces'::regclass order by 1"
    )
    return [row[0] for row in rows]


def test_six_hours_share_a_table_whatever_the_time_zone(conn: psycopg.Connection[Any]) -> None:
    conn.execute("set timezone to 'Asia/Kolkata'")
    for minute in (0, 1, 359):
        start = datetime(2026, 3, 7, 12, tzinfo=UTC)
        traces.traces_room(conn, moment=start + timedelta(minutes=minute))
    traces.traces_room(conn, moment=datetime(2026, 3, 7, 18, tzinfo=UTC))
    assert tables(conn) == ["traces_20260307_12", "traces_20260307_18"]


def test_two_processes_make_room_at_once(conn: psycopg.Connection[Any], postgres: Postgres) -> None:
    with (
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(postgres.url_of("traces_empty")) as other,
    ):
        traces.traces_room(other, moment=NOW)
        waiting = pool.submit(traces.traces_room, conn, moment=NOW)
        other.commit()
        waiting.result(5)
    assert len(tables(conn)) == 1


def test_what_ended_before_is_dropped_by_its_table(conn: psycopg.Connection[Any]) -> None:
    add(conn, *(transaction(hours, NOW - hours * HOUR) for hours in range(0, 48, 6)))
    conn.execute("set timezone to 'America/Los_Angeles'")
    assert traces.traces_prune(conn, before=NOW - 24 * HOUR) == 3
    assert traces.traces_prune(conn, before=NOW - 24 * HOUR) == 0
    oldest = conn.execute("select min(began) from trace_details").fetchone()
    assert oldest == (NOW - 24 * HOUR,)


def test_the_oldest_are_dropped_while_all_is_too_large(conn: psycopg.Connection[Any]) -> None:
    add(conn, *(transaction(hours, NOW - hours * HOUR) for hours in range(0, 48, 6)))
    long_ago = NOW - timedelta(days=30)
    assert traces.traces_prune(conn, before=long_ago) == 0
    one = conn.execute(
        "select pg_total_relation_size('traces_20260307_12')"
        " + pg_total_relation_size('trace_details_20260307_12')"
    ).fetchone()
    assert one
    assert traces.traces_prune(conn, before=long_ago, bytes_most=3 * one[0]) == 5
    assert traces.traces_prune(conn, before=long_ago, bytes_most=0) == 2
    assert tables(conn) == ["traces_20260307_12"]


def test_nothing_is_dropped_where_nothing_is(conn: psycopg.Connection[Any]) -> None:
    assert traces.traces_prune(conn, before=NOW, bytes_most=0) == 0
