"""Ticks: each minute's jobs are enqueued once, however many schedulers send it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import dramatiq
import pytest
import redis
from dramatiq import Worker

from webapp.jobs import NAMESPACE, WORKER_HEARTBEAT
from webapp.secret import Secret
from workers import upkeep
from workers.broker import JobBroker


@pytest.fixture
def broker(broker_url: str) -> Iterator[JobBroker]:
    broker = JobBroker(Secret(broker_url))
    upkeep.register(broker)
    yield broker
    broker.close()


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def work_off(broker: JobBroker) -> None:
    """Do all that is queued, in a worker of this process."""
    worker = Worker(broker, worker_timeout=100, worker_threads=2)
    worker.start()
    broker.join("upkeep", timeout=10_000)
    worker.stop()


def tick(broker: JobBroker, scheduled_at: datetime) -> None:
    broker.actors["tick"].send_with_options(scheduled_at=str(scheduled_at))


def test_a_tick_makes_the_minutes_jobs_run(
    broker: JobBroker, store: redis.Redis, now: datetime
) -> None:
    tick(broker, now)
    work_off(broker)
    assert store.exists(WORKER_HEARTBEAT)


def test_a_minute_that_is_taken_enqueues_nothing(
    broker: JobBroker, store: redis.Redis, now: datetime
) -> None:
    store.set(upkeep.tick_key(now), 1)
    tick(broker, now)
    work_off(broker)
    assert not store.exists(WORKER_HEARTBEAT)


def test_the_minute_that_a_tick_takes_is_given_back(
    broker: JobBroker, store: redis.Redis, now: datetime
) -> None:
    tick(broker, now)
    work_off(broker)
    assert 0 < store.ttl(upkeep.tick_key(now)) <= upkeep.TICK_KEPT


def test_a_late_tick_is_dropped(broker: JobBroker, store: redis.Redis, now: datetime) -> None:
    tick(broker, now - timedelta(minutes=5))
    work_off(broker)
    assert not store.exists(WORKER_HEARTBEAT)


def test_a_minute_is_the_same_in_every_time_zone(now: datetime) -> None:
    elsewhere = now.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert upkeep.tick_key(elsewhere) == upkeep.tick_key(now)


def test_a_failing_job_is_tried_three_times_more(broker: JobBroker, store: redis.Redis) -> None:
    tries = []

    def fail() -> None:
        tries.append(1)
        raise ValueError("always")

    actor = dramatiq.actor(queue_name="upkeep", broker=broker, min_backoff=1, max_backoff=1)(fail)
    actor.send()
    work_off(broker)
    assert len(tries) == 4
    assert store.zcard(f"{NAMESPACE}:upkeep.XQ") == 1
