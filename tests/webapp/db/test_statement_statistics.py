"""pg_stat_statements by the minute, on a real PostgreSQL that has it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from script.embedded import Postgres
from tests.webapp.db import plans
from tests.webapp.db.catalog_filled import Conn, catalog
from webapp.db import statement_statistics as statistics
from webapp.db import statements

NOW = datetime(2026, 3, 1, 12, 30, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PARAMETERS = {
    "now": NOW,
    "minute": NOW,
    "recent": NOW,
    "since": NOW,
    "before": NOW,
    "limit": 20,
    "rows": 100,
}


@pytest.fixture(scope="module")
def lasting(postgres: Postgres) -> Iterator[Conn]:
    with (
        catalog(postgres, "statement_statistics") as url,
        psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection,
    ):
        yield connection


@pytest.fixture
def conn(lasting: Conn) -> Conn:
    lasting.execute("truncate statement_totals, statement_minutes")
    return lasting


def run(conn: Conn, times: int) -> None:
    for _ in range(times):
        conn.execute("select count(*) from watches where name = 'counted'")


def counted(conn: Conn) -> list[tuple[datetime, int, int]]:
    return conn.execute(
        "select m.minute, m.calls, m.rows_returned from statement_minutes m"
        " join statement_totals t using (queryid) where t.query like '%from watches where name%'"
        " order by m.minute"
    ).fetchall()


def minute(number: int) -> datetime:
    return (NOW + (number - 1) * MINUTE).replace(second=0)


def test_a_minute_has_what_ran_since_the_last_snapshot(conn: Conn) -> None:
    run(conn, 1)
    for number, times in enumerate((5, 3, 0, 2)):
        assert statistics.snapshot(conn, NOW + number * MINUTE)
        run(conn, times)
    statistics.snapshot(conn, NOW + 4 * MINUTE)
    assert counted(conn) == [(minute(1), 5, 5), (minute(2), 3, 3), (minute(4), 2, 2)]


def test_two_snapshots_in_a_minute_add_up(conn: Conn) -> None:
    statistics.snapshot(conn, NOW)
    run(conn, 2)
    statistics.snapshot(conn, NOW + MINUTE)
    run(conn, 3)
    statistics.snapshot(conn, NOW + MINUTE + timedelta(seconds=30))
    assert counted(conn) == [(minute(1), 5, 5)]


def test_after_a_reset_all_calls_are_since(conn: Conn) -> None:
    statistics.snapshot(conn, NOW)
    conn.execute("update statement_totals set calls = calls + 1000, total_ms = total_ms + 1000")
    row = conn.execute(
        "select calls from pg_stat_statements where query like '%from watches where name%'"
        " and dbid = (select oid from pg_database where datname = current_database())"
    ).fetchone()
    assert row
    statistics.snapshot(conn, NOW + MINUTE)
    assert [calls for _, calls, _ in counted(conn)] == [row[0]]
    negative = conn.execute(
        "select count(*) from statement_minutes where calls < 0 or total_ms < 0"
    ).fetchone()
    assert negative == (0,)


def test_after_a_gap_nobody_knows_the_minute(conn: Conn) -> None:
    statistics.snapshot(conn, NOW)
    run(conn, 7)
    statistics.snapshot(conn, NOW + 10 * MINUTE)
    run(conn, 1)
    statistics.snapshot(conn, NOW + 11 * MINUTE)
    assert counted(conn) == [(minute(11), 1, 1)]


def test_the_top_is_what_took_most_time(conn: Conn) -> None:
    statistics.snapshot(conn, NOW)
    conn.execute("select pg_sleep(0.05)")
    run(conn, 1)
    statistics.snapshot(conn, NOW + MINUTE)
    top = statistics.statements_top(conn, since=NOW - MINUTE)
    assert "pg_sleep" in top[0].query
    assert top[0].total_ms >= 50
    assert top == sorted(top, key=lambda each: -each.total_ms)


def test_where_the_extension_is_missing_there_is_nothing(conn: Conn) -> None:
    with conn.transaction(force_rollback=True):
        conn.execute("set local search_path = pg_catalog")
        assert not statistics.statements_available(conn)


def test_old_minutes_are_forgotten(conn: Conn) -> None:
    conn.execute(
        "insert into statement_minutes select n, %s, 1, 1, 1, 1, 1 from generate_series(1, 50) n",
        (NOW - statistics.KEPT - MINUTE,),
    )
    assert statistics.statements_minutes_prune(conn, now=NOW, rows=30) == 30
    assert statistics.statements_minutes_prune(conn, now=NOW, rows=30) == 20


@pytest.mark.parametrize("name", ["statements_top", "statements_minutes_prune"])
def test_every_statement_that_may_grow_is_served_by_the_indexes_it_names(
    conn: Conn, name: str
) -> None:
    conn.execute(
        "insert into statement_minutes select n % 5000, now() - n * interval '1 minute',"
        " 1, 1, 1, 1, 1 from generate_series(1, 20000) n"
    )
    conn.execute(
        "insert into statement_totals select n, 'select', 1, 1, 1, 1, 1, now()"
        " from generate_series(1, 20000) n"
    )
    conn.execute("vacuum analyze statement_minutes")
    conn.execute("vacuum analyze statement_totals")
    own = {
        "since": datetime.now(UTC) - timedelta(hours=1),
        "before": datetime.now(UTC) - timedelta(days=13.8),
    }
    plans.assert_served_by_the_indexes_it_names(conn, name, PARAMETERS | own)


@pytest.mark.parametrize("name", plans.names_of("test_statement_statistics"))
def test_every_statement_is_planned(conn: Conn, name: str) -> None:
    assert conn.execute("explain " + statements.load(name), PARAMETERS).fetchall()
