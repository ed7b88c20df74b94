"""Unique while queued: against a simple model, by many at once, and after what crashes leave."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webapp.jobs import NAMESPACE, UNIQUE, Jobs, script, unique_key
from webapp.secret import Secret
from workers.broker import JobBroker

QUEUE = "upkeep"


@pytest.fixture
def broker(broker_url: str) -> Iterator[JobBroker]:
    broker = JobBroker(Secret(broker_url))
    yield broker
    broker.close()


class Work:
    """A consumer without threads: takes, starts and ends one job at a time."""

    def __init__(self, broker: JobBroker) -> None:
        self._broker = broker
        self._consumer = broker.consume(QUEUE, prefetch=64, timeout=1)
        self._start = script(broker.client, "start")

    def take(self) -> object:
        """The next message, or None."""
        return next(self._consumer)

    def start(self, message: object) -> None:
        """As workers.attempts does."""
        options = message.options  # type: ignore[attr-defined]
        keys = ["fw:running:test", options.get(UNIQUE, "")]
        job = message.message_id  # type: ignore[attr-defined]
        self._start(keys=keys, args=[options["redis_message_id"], "{}", 1_000, job])

    def end(self, message: object) -> None:
        self._consumer.ack(message)  # type: ignore[arg-type]


def test_the_same_job_is_queued_once(jobs: Jobs, store: redis.Redis) -> None:
    first = jobs.enqueue("warm", QUEUE, "pallets", 3)
    assert jobs.enqueue("warm", QUEUE, "pallets", 3) == first
    assert store.llen(f"{NAMESPACE}:{QUEUE}") == 1


@pytest.mark.parametrize("other", [("warm", "psf"), ("warm",), ("cool", "pallets")])
def test_another_actor_or_other_arguments_are_another_job(
    jobs: Jobs, other: tuple[str, ...]
) -> None:
    first = jobs.enqueue("warm", QUEUE, "pallets")
    assert jobs.enqueue(other[0], QUEUE, *other[1:]) != first


def test_delayed_jobs_are_each_due_at_their_own_moment(jobs: Jobs, store: redis.Redis) -> None:
    for delay_ms in (2_000, 20_000):
        jobs.enqueue("look", QUEUE, "repo:o/r", delay_ms=delay_ms)
    assert store.llen(f"{NAMESPACE}:{QUEUE}.DQ") == 2


def test_a_delayed_job_is_unique_where_that_is_asked_for(jobs: Jobs) -> None:
    first = jobs.enqueue("look", QUEUE, delay_ms=2_000, unique=True)
    assert jobs.enqueue("look", QUEUE, delay_ms=20_000, unique=True) == first


def test_a_job_that_has_started_is_queued_anew(jobs: Jobs, broker: JobBroker) -> None:
    first = jobs.enqueue("warm", QUEUE)
    work = Work(broker)
    message = work.take()
    assert jobs.enqueue("warm", QUEUE) == first  # taken, but not started
    work.start(message)
    assert jobs.enqueue("warm", QUEUE) != first


def test_a_claim_whose_job_is_lost_keeps_nobody_out(jobs: Jobs, store: redis.Redis) -> None:
    first = jobs.enqueue("warm", QUEUE)
    store.delete(f"{NAMESPACE}:{QUEUE}", f"{NAMESPACE}:{QUEUE}.msgs")
    assert store.exists(unique_key("warm", ()))
    assert jobs.enqueue("warm", QUEUE) != first
    assert store.llen(f"{NAMESPACE}:{QUEUE}") == 1


def test_a_claim_ends_some_day(jobs: Jobs, store: redis.Redis) -> None:
    jobs.enqueue("warm", QUEUE)
    assert 86_000 < store.ttl(unique_key("warm", ())) <= 86_400


def test_of_many_who_enqueue_at_once_one_does(jobs: Jobs, store: redis.Redis) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: jobs.enqueue("warm", QUEUE, "x"), range(64)))
    assert len(ids) == 1
    assert store.llen(f"{NAMESPACE}:{QUEUE}") == 1


STEPS = st.lists(st.sampled_from(["enqueue a", "enqueue b", "take", "start", "end", "die"]))


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_whoever_enqueues_has_a_start_after_it_and_none_waits_twice(
    jobs: Jobs, broker: JobBroker, store: redis.Redis, steps: list[str]
) -> None:
    """A model: what waits, by name. Every enqueueing is followed by a start of that name."""
    store.flushdb()
    work = Work(broker)
    waits: dict[str, str] = {}
    taken: list[object] = []
    running: list[object] = []
    for step in [*steps, *["take", "start", "end"] * len(steps)]:
        verb, _, name = step.partition(" ")
        if verb == "enqueue":
            id_ = jobs.enqueue("warm", QUEUE, name)
            assert id_ == waits.setdefault(name, id_)
        elif verb == "take":
            message = work.take()
            taken += [message] if message is not None else []
        elif verb == "start" and taken:
            message = taken.pop(0)
            work.start(message)
            started = message.args[0]  # type: ignore[attr-defined]
            if waits.get(started) == message.message_id:  # type: ignore[attr-defined]
                del waits[started]
            running.append(message)
        elif verb == "end" and running:
            work.end(running.pop(0))
        elif verb == "die":  # and what it held goes back, as from a killed worker
            broker._return_dropped(QUEUE)
            taken, running, work = [], [], Work(broker)
    assert waits == {}
    assert not store.exists(f"{NAMESPACE}:{QUEUE}", f"{NAMESPACE}:{QUEUE}.msgs")
