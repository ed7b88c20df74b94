"""Deliveries to a real Redis: each counts once, whatever gets lost or goes away on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis

from script.embedded import Valkey
from tests.webapp.telemetry.measured import NOON, Measured, Process
from webapp.telemetry.delivery import MOST_WAITING, RESENT
from webapp.telemetry.measures import MEASURES

PURGES = ("purges_total", "soft", "webhook")


@pytest.fixture
def measured(redis_url: str) -> Iterator[Measured]:
    made = Measured(redis_url)
    yield made
    made.close()


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def lost_answer(process: Process) -> None:
    """Have the last delivery sent again, as if its answer hadn't come."""
    deliveries = process.deliveries
    deliveries._leaving.appendleft(deliveries._left.pop())


def test_what_processes_count_adds_up(measured: Measured) -> None:
    for number in range(1, 4):
        process = measured.process()
        for _ in range(2):
            process.counts.add(*PURGES, number=number)
            assert process.deliver()
    assert measured.ever(*PURGES) == 12


def test_a_delivery_whose_answer_was_lost_counts_once(measured: Measured) -> None:
    process = measured.process()
    process.counts.add(*PURGES, number=5)
    process.deliver()
    lost_answer(process)
    process.counts.add(*PURGES, number=2)
    assert process.deliver()
    assert measured.ever(*PURGES) == 7


def test_a_server_that_lost_its_last_second_is_told_again(
    measured: Measured, raw: redis.Redis
) -> None:
    process = measured.process()
    process.counts.add(*PURGES, number=5)
    process.deliver()
    kept = {name: raw.dump(name) or b"" for name in raw.scan_iter("fw:m:*")}
    process.counts.add(*PURGES, number=7)
    process.deliver()
    for name in list(raw.scan_iter("fw:m:*")):
        raw.delete(name)
    for name, dump in kept.items():
        raw.restore(name, 0, dump)
    assert measured.ever(*PURGES) == 5
    process.counts.add(*PURGES, number=1)
    process.deliver()
    assert measured.ever(*PURGES) == 13


def test_a_server_that_lost_everything_counts_from_zero_on(
    measured: Measured, raw: redis.Redis
) -> None:
    process = measured.process()
    process.counts.add(*PURGES, number=5)
    process.deliver()
    born = measured.windows.born()
    measured.clock.now += RESENT + 1
    process.deliver()
    for name in list(raw.scan_iter("fw:m:*")):
        raw.delete(name)
    process.counts.add(*PURGES)
    process.deliver()
    assert measured.ever(*PURGES) == 1
    assert measured.windows.born() != born


def test_what_redis_cannot_take_is_kept_and_added_later(measured: Measured, valkey: Valkey) -> None:
    process = measured.process()
    process.counts.add(*PURGES)
    process.deliver()
    valkey.kill()
    for _ in range(3):
        measured.clock.now += 10
        process.counts.add(*PURGES, number=10)
        assert not process.deliver()
    assert process.deliveries.waiting == 3
    valkey.start()
    deadline = time.monotonic() + 10
    while not process.deliver():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    found = measured.windows.read(PURGES[0], [PURGES[1:]], 10, range(int(NOON), int(NOON) + 40, 10))
    assert [(start - NOON, fields) for _, start, fields in found][-3:] == [
        (10, {"n": "10"}),
        (20, {"n": "10"}),
        (30, {"n": "10"}),
    ]


def test_what_waits_for_hours_stays_small_and_exact(measured: Measured) -> None:
    process = measured.process()
    for _ in range(3 * 3600 // 5):
        process.counts.add(*PURGES)
        process.counts.observe("job_duration_seconds", "sweep", seconds=0.01)
        process.put()
        measured.clock.now += 5
    assert process.deliveries.waiting <= MOST_WAITING
    assert process.deliver()
    assert measured.ever(*PURGES) == 3 * 3600 // 5
    assert measured.ever("job_duration_seconds", "sweep") == 3 * 3600 // 5


def test_a_histogram_is_the_same_in_redis(measured: Measured) -> None:
    processes = [measured.process() for _ in range(2)]
    for place, process in enumerate(processes):
        for number in range(100):
            seconds = (number + 1) * (place + 1) * 1e-4
            process.counts.observe("job_duration_seconds", "sweep", seconds=seconds)
        process.deliver()
    total = measured.metrics.total("job_duration_seconds", since=NOON, until=NOON + 10)
    assert total.histogram is not None
    assert (total.count, total.histogram.least, total.histogram.most) == (200, 100, 20_000)
    assert total.sum == pytest.approx(sum(range(1, 101)) * 3e-4, rel=1e-3)


def test_label_sets_are_bounded_across_processes_too(measured: Measured) -> None:
    row = MEASURES["webhook_lag_seconds"]
    for place in range(4):
        process = measured.process()
        for number in range(row.most // 2):
            process.counts.observe(row.name, f"event-{place}-{number}", seconds=1.0)
        process.deliver()
    sets = measured.windows.label_sets(row.name, 0)
    assert len(sets) == row.most + 1
    totals = measured.metrics.totals(row.name, since=NOON, until=NOON + 10, by=["event"])
    assert totals["other",].count == row.most


def test_label_sets_that_no_window_holds_any_more_make_room(measured: Measured) -> None:
    row = MEASURES["webhook_lag_seconds"]
    process = measured.process()
    for number in range(row.most):
        process.counts.observe(row.name, f"old-{number}", seconds=1.0)
    process.deliver()
    measured.clock.now += 7300
    process.counts.observe(row.name, "new", seconds=1.0)
    process.deliver()
    assert ("new",) in measured.windows.label_sets(row.name, 0)


def test_windows_expire(measured: Measured, raw: redis.Redis) -> None:
    measured.clock.now = float(raw.time()[0])
    process = measured.process()
    process.counts.add(*PURGES)
    process.deliver()
    lives = sorted(raw.ttl(key) for key in raw.scan_iter("fw:m:w:*"))
    assert [3600 <= lives[0] <= 3610, 7200 <= lives[1] <= 7260, len(lives)] == [True, True, 2]
