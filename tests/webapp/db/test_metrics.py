"""The metrics' statements on a real PostgreSQL: plans, upserts, and 400 days that stay small."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from script.embedded import Postgres
from tests.stores import migrated_database
from tests.webapp.db import plans
from webapp.db import metrics, statements
from webapp.db.metrics import Point, Span
from webapp.telemetry.histogram import Histogram

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Conn = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def migrated(postgres: Postgres) -> Iterator[str]:
    with migrated_database(postgres, "metrics") as url:
        yield url


@pytest.fixture
def conn(migrated: str) -> Iterator[Conn]:
    with psycopg.connect(migrated, autocommit=True) as connection:
        for (table,) in connection.execute(
            "select relname from pg_class where relispartition and relkind = 'r'"
        ).fetchall():
            connection.execute(f"drop table {table}")
        connection.execute("truncate metric_series, metric_releases")
        yield connection


def partitions(conn: Conn) -> list[str]:
    rows = conn.execute(
        "select relname from pg_class where relispartition and relkind = 'r' order by 1"
    ).fetchall()
    return [name for (name,) in rows]


def series(conn: Conn, *labels: str) -> list[int]:
    metrics.metric_series_add(conn, [("purges_total", (label, "list")) for label in labels])
    held = metrics.metric_series_of(conn, ["purges_total"])
    return [row.id for label in labels for row in held if row.labels[0] == label]


def test_a_series_is_added_once(conn: Conn) -> None:
    wanted = [("purges_total", ("soft", "list")), ("redis_clients", ())]
    assert [metrics.metric_series_add(conn, wanted) for _ in range(2)] == [2, 0]
    held = metrics.metric_series_of(conn, ["purges_total", "redis_clients"])
    assert {(each.name, tuple(each.labels)) for each in held} == set(wanted)


def test_a_point_written_again_only_grows(conn: Conn) -> None:
    (one,) = series(conn, "soft")
    metrics.metric_partition(conn, NOW)
    for count in (5, 7, 6):
        metrics.metric_minutes_put(conn, [Point(one, NOW, count, float(count))])
    found = metrics.metric_minutes_of(conn, [one], Span(NOW, NOW + MINUTE, MINUTE))
    assert found == [Point(one, NOW, 7, 7.0)]


def test_points_are_read_from_since_till_before_until(conn: Conn) -> None:
    one, two = series(conn, "soft", "hard")
    metrics.metric_partition(conn, NOW)
    points = [
        Point(each, NOW + number * HOUR, 1, 0.0, 5, 7, b"x")
        for each in (one, two)
        for number in range(4)
    ]
    metrics.metric_hours_put(conn, points)
    found = metrics.metric_hours_of(conn, [one], Span(NOW + HOUR, NOW + 3 * HOUR, HOUR))
    assert sorted(each.ts for each in found) == [NOW + HOUR, NOW + 2 * HOUR]
    assert {each.buckets for each in found} == {b"x"}


def test_points_add_up_by_steps_and_leave_out_what_is_asked(conn: Conn) -> None:
    (one,) = series(conn, "soft")
    metrics.metric_partition(conn, NOW)
    points = [Point(one, NOW + n * MINUTE, 1, 2.0, 10 - n, 10 + n, bytes([n])) for n in range(4)]
    metrics.metric_minutes_put(conn, points)
    span = Span(NOW, NOW + HOUR, 2 * MINUTE)
    found = metrics.metric_minutes_of(conn, [one], span, [NOW + 3 * MINUTE])
    assert [(each.ts, each.count, each.sum, each.least, each.most) for each in found] == [
        (NOW, 2, 4.0, 9, 11),
        (NOW + 2 * MINUTE, 1, 2.0, 8, 12),
    ]
    assert sorted(found[0].buckets or b"") == [0, 1]


def test_partitions_are_there_before_they_are_needed(conn: Conn) -> None:
    assert metrics.metric_partition(conn, NOW) == 0
    assert metrics.metric_partition(conn, NOW) == 0
    assert partitions(conn) == [
        *(f"metric_fives_202611{day}" for day in (22, 23, 24)),
        "metric_hours_202611",
        *(f"metric_minutes_202611{day}" for day in (22, 23, 24)),
    ]


def test_at_midnight_what_comes_late_has_its_place(conn: Conn) -> None:
    midnight = datetime(2027, 1, 1, tzinfo=UTC)
    metrics.metric_partition(conn, midnight)
    (one,) = series(conn, "soft")
    late = midnight - 2 * HOUR
    metrics.metric_minutes_put(conn, [Point(one, late, 1, 0.0)])
    metrics.metric_hours_put(conn, [Point(one, late, 1, 0.0)])


def test_old_partitions_are_dropped_and_nothing_is_deleted(conn: Conn) -> None:
    (one,) = series(conn, "soft")
    dropped = 0
    for day in range(10):
        now = NOW + day * DAY
        dropped += metrics.metric_partition(conn, now)
        metrics.metric_minutes_put(conn, [Point(one, now, 1, 0.0)])
    assert dropped == 4  # minutes and fives of two days
    kept = metrics.metric_minutes_of(conn, [one], Span(NOW, NOW + 10 * DAY, MINUTE))
    assert min(each.ts for each in kept) == NOW + 2 * DAY
    conn.execute("select pg_stat_force_next_flush()")
    deleted = conn.execute(
        "select sum(n_tup_del) from pg_stat_user_tables where relname like 'metric_%'"
    ).fetchone()
    assert deleted == (0,)


def test_a_release_is_noted_when_it_is_another_than_the_last(conn: Conn) -> None:
    noted = [
        metrics.metric_release_note(conn, NOW + number * HOUR, "0.1.0", revision)
        for number, revision in enumerate(["a", "a", "b", "a"])
    ]
    assert noted == [True, False, True, True]
    found = metrics.metric_releases(conn, NOW + HOUR, NOW + 9 * HOUR)
    assert [(each.started_at, each.revision) for each in found] == [
        (NOW + 2 * HOUR, "b"),
        (NOW + 3 * HOUR, "a"),
    ]


def test_one_transaction_holds_the_lock(conn: Conn, migrated: str) -> None:
    with psycopg.connect(migrated) as other, conn.transaction():
        assert metrics.metric_lock(conn)
        assert not metrics.metric_lock(other)


# Size

SERIES = 2
BYTES_A_MINUTE, BYTES_LONGER = 260, 560
"""What docs/operations.md states of a series with a histogram, its index included."""


def test_400_days_stay_within_the_stated_size(conn: Conn) -> None:
    """Day by day, with a clock of their own; hours for 430 days, minutes for the last nine."""
    rand = random.Random(1)
    ids = series(conn, *map(str, range(SERIES)))
    spread = [rand.lognormvariate(-7, 0.6) for _ in range(5_000)]
    quiet, busy = (Histogram.of(part).to_bytes() for part in (spread[:60], spread))
    for day in range(430):
        start = NOW.replace(hour=0) + day * DAY
        if start.day == 1 or day in {0, 410} or day > 420:  # new months, and the week of minutes
            metrics.metric_partition(conn, start)
        hours = [
            Point(one, start + hour * HOUR, 9, 9.0, 1, 9, busy) for one in ids for hour in range(24)
        ]
        metrics.metric_hours_put(conn, hours)
        if day > 420:
            minutes = [
                Point(one, start + minute * MINUTE, 9, 9.0, 1, 9, quiet)
                for one in ids
                for minute in range(1440)
            ]
            metrics.metric_minutes_put(conn, minutes)
            fives = [replace(each, buckets=busy) for each in minutes[::5]]
            metrics.metric_fives_put(conn, fives)
    metrics.metric_partition(conn, start + DAY)
    names = partitions(conn)
    assert sum(name.startswith("metric_minutes") for name in names) <= 7 + 3
    assert sum(name.startswith("metric_hours") for name in names) <= 13 + 2
    sizes = dict.fromkeys(("minutes", "hours", "fives"), 0)
    for name in names:
        row = conn.execute("select pg_total_relation_size(%s::regclass)", [name]).fetchone()
        assert row
        sizes[name.split("_")[1]] += row[0]
    assert sizes["minutes"] <= SERIES * 8 * 1440 * BYTES_A_MINUTE
    assert sizes["fives"] <= SERIES * 8 * 288 * BYTES_LONGER
    assert sizes["hours"] <= SERIES * 431 * 24 * BYTES_LONGER


# Plans

PARAMETERS: dict[str, dict[str, object]] = {
    "metric_lock": {},
    "metric_partition": {
        "since": NOW,
        "until": NOW,
        "minutes_from": NOW - 7 * DAY,
        "hours_from": NOW - 400 * DAY,
    },
    "metric_series_add": {"names": ["purges_total"], "labels": ["soft|list"]},
    "metric_series_of": {"names": ["measure-7"]},
    **{
        f"metric_{table}_put": {
            "series": [1],
            "starts": [NOW],
            "counts": [1],
            "sums": [1.0],
            "leasts": [None],
            "mosts": [None],
            "buckets": [None],
        }
        for table in ("minutes", "fives", "hours")
    },
    **{
        f"metric_{table}_of": {
            "series": [1, 2],
            "since": NOW,
            "until": NOW + HOUR,
            "step": HOUR,
            "without": [NOW],
        }
        for table in ("minutes", "fives", "hours")
    },
    "metric_release_note": {"now": NOW, "version": "0.1.0", "revision": "a"},
    "metric_releases": {"since": NOW - DAY, "until": NOW},
}


@pytest.fixture(scope="module")
def filled(migrated: str) -> Iterator[Conn]:
    with psycopg.connect(migrated, autocommit=True) as connection:
        metrics.metric_partition(connection, NOW)
        connection.execute(
            "insert into metric_series (name, labels)"
            " select 'measure-' || mod(n, 50), array[n::text] from generate_series(1, 5000) n"
        )
        for table in ("metric_minutes", "metric_fives", "metric_hours"):
            connection.execute(
                f"insert into {table} (series_id, ts, count, sum)"
                " select mod(n, 50), %(now)s + n / 50 * interval '1 minute', 1, 1"
                " from generate_series(1, 40000) n on conflict do nothing",
                {"now": NOW},
            )
        connection.execute(
            "insert into metric_releases"
            " select %(now)s - n * interval '1 hour', '0.1.0', n::text"
            " from generate_series(1, 5000) n",
            {"now": NOW},
        )
        connection.execute("analyze")
        yield connection


@pytest.mark.parametrize("name", plans.names_of("test_metrics"))
def test_a_statement_is_served_by_the_index_it_names(filled: Conn, name: str) -> None:
    plans.assert_served_by_the_indexes_it_names(filled, name, PARAMETERS[name])


def test_every_statement_on_metrics_has_parameters_here() -> None:
    assert set(PARAMETERS) == {each for each in statements.names() if each.startswith("metric_")}
