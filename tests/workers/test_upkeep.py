"""Ticks: each minute's jobs are enqueued once, however many schedulers send it, or none does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import dramatiq
import pytest
import redis
from dramatiq import Message

from tests.workers.processes import wait_for, work_off, working
from webapp.jobs import NAMESPACE, WORKER_HEARTBEAT
from workers.broker import JobBroker
from workers.timetable import DAY, Periodic, due
from workers.upkeep import SET_BACK, TICK, enqueue_due

MINUTE, HOURLY, DAILY = (
    Periodic("each", "upkeep"),
    Periodic("hourly", "upkeep", every=60, at=17),
    Periodic("daily", "upkeep", every=DAY, at=90),
)
TABLE = (MINUTE, HOURLY, DAILY)
MIDNIGHT = 20_000 * DAY


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def minute_of(moment: datetime) -> int:
    return int(moment.timestamp()) // 60


def queued(store: redis.Redis) -> list[str]:
    """The actors in the queue, in its order."""
    ids = store.lrange(f"{NAMESPACE}:upkeep", 0, -1)
    texts = store.hmget(f"{NAMESPACE}:upkeep.msgs", ids) if ids else []
    return [Message.decode(str(text).encode()).actor_name for text in texts]


def tick(broker: JobBroker, scheduled_at: datetime) -> None:
    broker.actors["tick"].send_with_options(scheduled_at=str(scheduled_at))


def test_a_tick_makes_the_minutes_jobs_run(
    broker: JobBroker, store: redis.Redis, now: datetime
) -> None:
    tick(broker, now)
    # The minute's other jobs, which this broker doesn't know, wait for a worker that does.
    with working(broker):
        wait_for(lambda: store.exists(WORKER_HEARTBEAT), "heartbeat")


def test_a_minute_that_is_taken_enqueues_nothing(
    broker: JobBroker, store: redis.Redis, now: datetime
) -> None:
    store.set(TICK, minute_of(now))
    tick(broker, now)
    work_off(broker)
    assert not store.exists(WORKER_HEARTBEAT)


def test_a_late_tick_speaks_for_the_minutes_until_now(
    broker: JobBroker, store: redis.Redis, now: datetime
) -> None:
    tick(broker, now - timedelta(minutes=5))
    with working(broker):
        wait_for(lambda: store.exists(WORKER_HEARTBEAT), "heartbeat")
    assert 0 <= minute_of(datetime.now(UTC)) - int(str(store.get(TICK))) <= 1


def test_what_became_due_while_no_tick_came_is_enqueued_once(
    broker: JobBroker, store: redis.Redis
) -> None:
    enqueue_due(broker.client, MIDNIGHT + 10, TABLE)
    work = ["each"]
    assert queued(store) == work
    store.delete(f"{NAMESPACE}:upkeep", f"{NAMESPACE}:upkeep.msgs")
    enqueue_due(broker.client, MIDNIGHT + 95, TABLE)
    assert queued(store) == ["each", "hourly", "daily"]


def test_ticks_at_once_enqueue_each_minute_once(broker: JobBroker, store: redis.Redis) -> None:
    enqueue_due(broker.client, MIDNIGHT, (MINUTE,))
    table = tuple(Periodic(f"job-{number}", "upkeep") for number in range(5))
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda _: enqueue_due(broker.client, MIDNIGHT + 1, table), range(32)):
            pass
    assert queued(store) == ["each", *(each.actor for each in table)]


def test_an_older_minute_than_the_last_enqueues_nothing(
    broker: JobBroker, store: redis.Redis
) -> None:
    enqueue_due(broker.client, MIDNIGHT + 2, ())
    enqueue_due(broker.client, MIDNIGHT + 1, TABLE)
    assert queued(store) == []


def test_a_clock_that_was_set_back_goes_on(broker: JobBroker, store: redis.Redis) -> None:
    enqueue_due(broker.client, MIDNIGHT + SET_BACK + 2, ())
    enqueue_due(broker.client, MIDNIGHT + 1, TABLE)
    assert queued(store) == ["each"]


def test_a_periodic_job_that_still_waits_is_not_enqueued_again(
    broker: JobBroker, store: redis.Redis
) -> None:
    for minute in range(3):
        enqueue_due(broker.client, MIDNIGHT + minute, (MINUTE,))
    assert queued(store) == ["each"]


@pytest.mark.parametrize(
    ("after", "until", "actors"),
    [
        (0, 0, []),
        (0, 1, ["each"]),
        (16, 17, ["each", "hourly"]),
        (17, 18, ["each"]),
        (16, 78, ["each", "hourly"]),
        (89, 90, ["each", "daily"]),
        (0, 30 * DAY, ["each", "hourly", "daily"]),
    ],
)
def test_due_is_what_the_table_says_in_utc(after: int, until: int, actors: list[str]) -> None:
    found = due(MIDNIGHT + after, MIDNIGHT + until, TABLE)
    assert [each.actor for each in found] == actors


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
