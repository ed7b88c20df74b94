"""From Redis to PostgreSQL: closed minutes and hours, late ones too, each figure exactly once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from script.embedded import Postgres
from tests.stores import migrated_database
from tests.webapp.telemetry.measured import NOON, Measured, Process
from webapp.errors import DatabaseUnavailable
from webapp.telemetry.metrics import Sample
from webapp.telemetry.rollup import RolledUp, RollUp

PURGES = ("purges_total", "soft", "webhook")
JOBS = "job_duration_seconds"


@pytest.fixture(scope="module")
def rolled_up_url(postgres: Postgres) -> Iterator[str]:
    with migrated_database(postgres, "rollup") as url:
        yield url


@pytest.fixture
def measured(redis_url: str, rolled_up_url: str) -> Iterator[Measured]:
    made = Measured(redis_url, rolled_up_url)
    with made.database.connection() as conn:
        conn.execute(
            "TRUNCATE metric_series, metric_minutes, metric_fives, metric_hours, metric_releases"
        )
    yield made
    made.close()


@pytest.fixture
def away() -> Iterator[Measured]:
    """Where neither Redis nor PostgreSQL listens."""
    made = Measured("redis://127.0.0.1:1/0")
    yield made
    made.close()


def minutes(measured: Measured, number: int, process: Process | None = None) -> Process:
    """So many minutes of ten purges and two jobs each, from the clock's moment on."""
    process = process or measured.process()
    for _ in range(number):
        process.counts.add(*PURGES, number=10)
        for seconds in (0.1, 0.4):
            process.counts.observe(JOBS, "sweep", seconds=seconds)
        process.counts.set("redis_clients", value=4.0)
        process.deliver()
        measured.clock.now += 60
    return process


def written(measured: Measured, table: str) -> list[tuple[str, float, int, float]]:
    """Name, seconds since noon, count, sum."""
    with measured.database.connection() as conn:
        rows: Any = conn.execute(
            "select name, extract(epoch from ts)::float8, count, sum"
            f" from {table} join metric_series on id = series_id order by name, ts"
        )
        return [(name, at - NOON, count, total) for name, at, count, total in rows]


def test_closed_minutes_are_written_and_the_open_one_waits(measured: Measured) -> None:
    minutes(measured, 2)
    measured.clock.now = NOON + 60 + 20
    assert measured.rollup.run() == RolledUp(minutes=1)
    assert written(measured, "metric_minutes") == [
        (JOBS, 0, 2, 500_000),
        ("purges_total", 0, 10, 0),
        ("redis_clients", 0, 1, 4),
    ]
    assert measured.rollup.run() == RolledUp()


def test_hours_are_made_of_their_minutes(measured: Measured) -> None:
    minutes(measured, 61)
    measured.clock.now += 60
    assert measured.rollup.run() == RolledUp(minutes=61, longer=13)
    assert written(measured, "metric_hours") == [
        (JOBS, 0, 120, 60 * 500_000),
        ("purges_total", 0, 600, 0),
        ("redis_clients", 0, 60, 240),
    ]


def test_what_comes_late_is_added_to_its_minute_and_hour(measured: Measured) -> None:
    late = measured.process()
    late.counts.add(*PURGES, number=5)
    late.put()
    minutes(measured, 60)
    measured.clock.now += 60
    measured.rollup.run()
    late.deliver()
    assert measured.rollup.run() == RolledUp(minutes=1, longer=2)
    assert ("purges_total", 0, 15, 0) in written(measured, "metric_minutes")
    assert ("purges_total", 0, 605, 0) in written(measured, "metric_hours")


def test_an_outage_of_postgresql_is_caught_up(measured: Measured, away: Measured) -> None:
    minutes(measured, 3)
    measured.clock.now += 60
    with pytest.raises(DatabaseUnavailable):
        RollUp(measured.windows, away.database, measured.clock).run()
    assert measured.rollup.run().minutes == 3
    assert len(written(measured, "metric_minutes")) == 9


def test_two_leaders_write_nothing_twice(measured: Measured) -> None:
    minutes(measured, 5)
    measured.clock.now += 60
    threads = [threading.Thread(target=measured.rollup.run) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    measured.rollup.run()
    total = measured.metrics.total("purges_total", since=NOON, until=NOON + 300)
    assert (total.count, len(written(measured, "metric_minutes"))) == (50, 15)


def test_what_is_added_while_rolling_up_stays_to_be_rolled_up(measured: Measured) -> None:
    process = minutes(measured, 1)
    measured.clock.now += 60
    read = measured.windows.dirty()
    process.clock.now -= 119
    process.counts.add(*PURGES, number=3)
    process.deliver()
    process.clock.now += 119
    measured.windows.rolled_up(read)
    assert measured.rollup.run().minutes == 1
    assert ("purges_total", 0, 13, 0) in written(measured, "metric_minutes")


def test_a_release_is_noted_once(measured: Measured) -> None:
    measured.rollup.run()
    measured.rollup._noted = False
    measured.clock.now += 60
    measured.rollup.run()
    with measured.database.connection() as conn:
        rows = conn.execute("select started_at, version from metric_releases").fetchall()
    assert rows == [(datetime.fromtimestamp(NOON, UTC), "0.1.0")]


# Reading


@pytest.mark.parametrize("rolled_up", [0, 1, 30, 90])
def test_readers_see_everything_however_much_is_rolled_up(
    measured: Measured, rolled_up: int
) -> None:
    process = minutes(measured, rolled_up)
    measured.rollup.run()
    minutes(measured, 90 - rolled_up, process)
    until = measured.clock.now
    by_minute = measured.metrics.series(
        "purges_total", since=NOON, until=until, step=60, by=["cause"]
    )
    assert [sample.count for sample in by_minute["webhook",]] == [10] * 90
    by_five = measured.metrics.series(JOBS, since=NOON, until=until, step=600)
    assert [(sample.count, round(sample.sum, 3)) for sample in by_five[()]] == [(20, 5.0)] * 9
    by_hour = measured.metrics.series("purges_total", since=NOON, until=until, step=3600)
    assert [sample.count for sample in by_hour[()]] == [600, 300]
    assert measured.metrics.total("purges_total", since=NOON, until=until).count == 900
    long = measured.metrics.total(JOBS, since=NOON - 200_000, until=until)
    assert (long.count, round(long.sum, 3)) == (180, 45.0)
    assert long.quantile(0.99) == pytest.approx(0.4, rel=0.02)
    assert long.mean == pytest.approx(0.25)


def test_steps_of_ten_seconds_come_from_redis(measured: Measured) -> None:
    process = measured.process()
    for number in range(6):
        process.counts.add(*PURGES, number=number)
        process.deliver()
        measured.clock.now += 10
    found = measured.metrics.series("purges_total", since=NOON, until=NOON + 60, step=10)
    assert [sample.count for sample in found[()]] == [0, 1, 2, 3, 4, 5]
    recent = measured.metrics.total("purges_total", since=NOON + 40, until=NOON + 60)
    assert recent.count == 9


def test_series_are_chosen_by_labels_and_added_up_by_others(measured: Measured) -> None:
    process = measured.process()
    for resource, outcome, number in (("repo", "HIT", 3), ("repo", "MISS", 2), ("org", "HIT", 1)):
        for _ in range(number):
            process.counts.observe("request_duration_seconds", resource, outcome, seconds=0.01)
    process.deliver()

    def found(labels: dict[str, str | list[str]], *by: str) -> dict[tuple[str, ...], int]:
        samples = measured.metrics.totals(
            "request_duration_seconds", labels, since=NOON, until=NOON + 10, by=by
        )
        return {group: sample.count for group, sample in samples.items()}

    assert found({}, "outcome") == {("HIT",): 4, ("MISS",): 2}
    assert found({"resource": "repo"}) == {(): 5}
    assert found({"outcome": ["HIT", "STALE"]}, "resource") == {("org",): 1, ("repo",): 3}
    assert found({"resource": "none"}) == {}
    with pytest.raises(ValueError, match="has no label lane"):
        found({"lane": "x"})
    with pytest.raises(KeyError):
        measured.metrics.total("unknown", since=NOON, until=NOON + 10)
    with pytest.raises(ValueError, match="no step"):
        measured.metrics.series(JOBS, since=NOON, until=NOON + 10, step=7)


def test_nothing_is_an_empty_sample(measured: Measured) -> None:
    assert measured.metrics.total(JOBS, since=NOON, until=NOON + 10) == Sample(NOON)
    assert measured.metrics.quantile(JOBS, 0.5, since=NOON, until=NOON + 10) is None


def test_a_gauges_last_reading_is_its_value(measured: Measured) -> None:
    process = measured.process()
    for value in (1.5, 2.5):
        process.counts.set("queue_depth", "upkeep", value=value)
        process.deliver()
        measured.clock.now += 10
    assert measured.metrics.latest("queue_depth") == {("upkeep",): 2.5}


def test_what_passes_is_read_while_redis_has_it(measured: Measured) -> None:
    process = measured.process()
    process.counts.set("process_memory_bytes", "web", "host:1", value=1e8)
    process.deliver()
    measured.clock.now += 90
    measured.rollup.run()
    assert written(measured, "metric_minutes") == []
    found = measured.metrics.series(
        "process_memory_bytes", since=NOON, until=NOON + 60, step=60, by=["role"]
    )
    assert found["web",] == [Sample(NOON, 1, 1e8)]


def test_without_postgresql_the_last_two_hours_are_left(measured: Measured, away: Measured) -> None:
    minutes(measured, 30)
    measured.rollup.run()
    measured.metrics._readings._database = away.database
    assert measured.metrics.total("purges_total", since=NOON, until=NOON + 1800).count == 300
    with pytest.raises(DatabaseUnavailable):
        measured.metrics.total("purges_total", since=NOON - 80_000, until=NOON)


def test_without_redis_what_is_rolled_up_is_left(measured: Measured, away: Measured) -> None:
    minutes(measured, 30)
    measured.clock.now += 60
    measured.rollup.run()
    measured.metrics._readings._windows = away.windows
    assert measured.metrics.total("purges_total", since=NOON, until=NOON + 1800).count == 300


def test_a_series_of_other_labels_is_left_alone(measured: Measured) -> None:
    """A measure's labels may change from one version to the next."""
    minutes(measured, 1)
    measured.clock.now += 60
    measured.rollup.run()
    with measured.database.connection() as conn:
        conn.execute("insert into metric_series (name, labels) values ('purges_total', '{x}')")
        conn.execute(
            "insert into metric_minutes (ts, sum, count, series_id)"
            " select ts, 0, 99, (select max(id) from metric_series)"
            " from metric_minutes limit 1"
        )
    assert measured.metrics.total("purges_total", since=NOON, until=NOON + 60).count == 10
