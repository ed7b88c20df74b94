"""Where points went: counted exactly, by few enough names, readable as totals."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from script.embedded import Valkey
from tests.webapp.github.budgets import NOW, Clock
from webapp.cache.connection import Connection
from webapp.errors import StoreUnavailable
from webapp.github.ledger.points import HOUR, MINUTE, MOST_COUNTERS, OTHER, Points, Tally
from webapp.github.limits import Lane
from webapp.secret import Secret


@pytest.fixture
def connection(redis_url: str) -> Iterator[Connection]:
    connection = Connection(Secret(redis_url), size=2)
    yield connection
    connection.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def points(connection: Connection, clock: Clock) -> Points:
    return Points(connection, clock)


def spend(points: Points, consumer: str = "ci", spent: int = 1, saved: int = 0) -> None:
    points.add("core", Lane.WARMING, credential="c1", consumer=consumer, spent=spent, saved=saved)


def test_spent_and_saved_are_told_by_resource_and_lane(points: Points) -> None:
    for resource, lane in (
        ("core", Lane.WARMING),
        ("core", Lane.INTERACTIVE),
        ("search", Lane.WARMING),
    ):
        points.add(resource, lane, credential="c1", consumer="ci", spent=2, saved=3)
    points.flush()

    found = points.ever()

    assert found.lanes == {
        ("core", "warming"): Tally(2, 3),
        ("core", "interactive"): Tally(2, 3),
        ("search", "warming"): Tally(2, 3),
    }
    assert found.all == Tally(6, 9)


def test_spent_and_saved_are_told_by_credential_and_consumer(points: Points) -> None:
    for credential, consumer in (("c1", "ci"), ("c2", "ci"), ("c2", "octokit")):
        points.add("core", Lane.WARMING, credential=credential, consumer=consumer, spent=1)
    points.flush()

    found = points.ever()

    assert found.credentials == {"c2": Tally(2, 0), "c1": Tally(1, 0)}
    assert found.consumers == {"ci": Tally(2, 0), "octokit": Tally(1, 0)}


def test_nothing_is_written_before_a_flush(points: Points) -> None:
    spend(points)

    assert points.ever().all == Tally()


def test_processes_add_up(connection: Connection, points: Points, clock: Clock) -> None:
    another = Points(connection, clock)
    for one in (points, another, points):
        spend(one)
        one.flush()

    assert points.ever().all == Tally(3, 0)


@pytest.mark.parametrize("step", [MINUTE, HOUR])
def test_totals_are_of_the_time_asked_for(points: Points, clock: Clock, step: int) -> None:
    for spent in (1, 10, 100, 1000):
        spend(points, spent=spent)
        points.flush()
        clock.turn(step)

    since = NOW + step
    assert points.totals(since, since + 2 * step).all.spent == 110


def test_totals_reach_back_no_further_than_they_are_kept(points: Points) -> None:
    spend(points)
    points.flush()

    assert points.totals(0, NOW + 1).all.spent == 1


def test_consumers_beyond_the_largest_are_other(connection: Connection, clock: Clock) -> None:
    points = Points(connection, clock, most_names=3)
    for number in range(20):
        spend(points, f"consumer-{number}", spent=number + 1)
    points.flush()

    found = points.ever().consumers

    assert list(found) == ["consumer-19", "consumer-18", "consumer-17", OTHER]
    assert found[OTHER].spent == sum(range(1, 18))


def test_a_hash_stays_bounded(connection: Connection, clock: Clock) -> None:
    points = Points(connection, clock, most_names=3)
    for number in range(50):
        spend(points, f"consumer-{number}")
        points.flush()

    assert connection.hlen("fw:b:points:ever") <= 2 + 2 + 2 * 3 + 2
    assert points.ever().all.spent == 50
    assert sum(tally.spent for tally in points.ever().consumers.values()) == 50


def test_a_newcomer_that_grows_gets_its_name(connection: Connection, clock: Clock) -> None:
    points = Points(connection, clock, most_names=3)
    for number in range(20):
        spend(points, f"consumer-{number}", spent=5)
    points.flush()
    for _ in range(30):
        spend(points, "newcomer")
        points.flush()

    assert next(iter(points.ever().consumers)) == "newcomer"


def test_memory_stays_bounded_between_flushes(points: Points) -> None:
    for number in range(10_000):
        spend(points, f"consumer-{number}")
    assert len(points._counters) <= MOST_COUNTERS + 6
    points.flush()

    assert points.ever().consumers[OTHER].spent >= 10_000 - MOST_COUNTERS


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "x" * 1000, "é", "a spent"])
def test_a_consumer_may_call_itself_anything(points: Points, name: str) -> None:
    spend(points, name)
    points.flush()

    [(found, tally)] = points.ever().consumers.items()

    assert tally == Tally(1, 0)
    assert 1 <= len(found) <= 64
    assert found.isascii()


def test_what_redis_did_not_take_is_flushed_later(
    valkey: Valkey, connection: Connection, points: Points
) -> None:
    valkey.kill()
    spend(points)
    points.flush()
    with pytest.raises(StoreUnavailable):
        points.ever()
    valkey.start()
    deadline = time.monotonic() + 5
    while connection.breaker.open and time.monotonic() < deadline:
        time.sleep(0.02)
    points.flush()
    points.flush()

    assert points.ever().all.spent == 1


def test_every_hash_expires(connection: Connection, points: Points) -> None:
    spend(points)
    points.flush()
    kept = {key: connection.ttl(key) for key in connection.scan_iter("*")}

    assert sorted(kept.values()) == [3 * 3600, 8 * 86400, 400 * 86400]
    assert all(key.startswith(b"fw:b:") for key in kept)
