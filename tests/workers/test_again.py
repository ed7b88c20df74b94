"""A job that failed: put off to the reset, retried, or a dead letter that says why."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq import Message, Worker

from script.embedded import Valkey
from tests.workers.processes import wait_for, work_off
from webapp.errors import OutOfBudget
from webapp.jobs import NAMESPACE, Jobs
from webapp.queues import Queues
from webapp.secret import Secret
from webapp.signals import job_ran
from workers.again import JITTER_MAX, LONGEST, UNKNOWN_MOST
from workers.again import wait_for as wait_until
from workers.broker import MAX_AGE_MS, JobBroker

TOKEN = "ghp_" + "a" * 36


@pytest.fixture
def queues(jobs: Jobs) -> Queues:
    return Queues(jobs)


@pytest.fixture
def ran() -> Iterator[list[dict[str, Any]]]:
    """What job_ran told, in order."""
    told: list[dict[str, Any]] = []

    def hear(_: object, **values: Any) -> None:
        told.append(values)

    with job_ran.connected_to(hear):
        yield told


def actor(broker: JobBroker, work: Callable[..., None], **options: Any) -> None:
    """An actor `work` of queue upkeep that doesn't wait between retries."""
    dramatiq.actor(
        queue_name="upkeep",
        broker=broker,
        actor_name="work",
        min_backoff=1,
        max_backoff=1,
        **options,
    )(work)


def results(ran: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(each["result"], each["attempt"]) for each in ran]


def test_a_job_without_budget_is_put_off_to_the_reset_and_no_retry_is_counted(
    broker: JobBroker, jobs: Jobs, ran: list[dict[str, Any]]
) -> None:
    reset = time.time() + 0.4
    began: list[float] = []

    def work() -> None:
        began.append(time.time())
        if time.time() < reset:
            raise OutOfBudget(reset, "hour")

    actor(broker, work)
    jobs.enqueue("work", "upkeep")
    work_off(broker)
    assert results(ran) == [("put_off", 1), ("done", 1)]
    assert began[-1] >= reset
    assert ran[0]["seconds"] < 0.2  # nobody slept


def test_more_puttings_off_than_retries_lose_no_job(
    broker: JobBroker, jobs: Jobs, ran: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.again.wait_for", lambda *_: 0.001)
    times = iter(range(9))

    def work() -> None:
        if next(times) < 8:
            raise OutOfBudget(time.time(), "minute")

    actor(broker, work)
    jobs.enqueue("work", "upkeep")
    work_off(broker)
    assert results(ran) == [("put_off", 1)] * 8 + [("done", 1)]


def test_who_enqueues_what_is_put_off_gets_that(broker: JobBroker, jobs: Jobs) -> None:
    def work() -> None:
        raise OutOfBudget(time.time() + 60, "hour")

    actor(broker, work)
    first = jobs.enqueue("work", "upkeep")
    worker = Worker(broker, worker_timeout=20, worker_threads=1)
    worker.start()
    wait_for(lambda: broker.client.hlen(f"{NAMESPACE}:upkeep.DQ.msgs"), "putting off")
    worker.stop()
    assert jobs.enqueue("work", "upkeep") == first


@pytest.mark.parametrize(
    ("ahead", "least", "most"),
    [(0, 0, 1), (60, 60, 66), (3600, 3600, 3600 + JITTER_MAX), (-5, 0, 1), (1e9, LONGEST, 7230)],
)
def test_those_who_wait_for_one_reset_come_back_spread(
    ahead: float, least: float, most: float
) -> None:
    waits = [wait_until(1_000.0 + ahead, 1_000.0, chance / 10) for chance in range(11)]
    assert least <= min(waits)
    assert max(waits) <= most
    assert len(set(waits)) == 11


def test_a_failing_job_is_tried_three_times_more_and_then_dead(
    broker: JobBroker,
    jobs: Jobs,
    queues: Queues,
    store: redis.Redis,
    ran: list[dict[str, Any]],
) -> None:
    def work(secret: str) -> None:
        raise ValueError(f"no good:\n{secret}")

    actor(broker, work)
    jobs.enqueue("work", "upkeep", TOKEN)
    work_off(broker)
    assert results(ran) == [("retried", 1), ("retried", 2), ("retried", 3), ("dead", 4)]
    (letter,) = queues.dead()
    assert letter.attempts == 4
    assert letter.error.startswith("ValueError: no good: ")
    assert TOKEN not in repr(letter)
    (kept,) = store.hvals(f"{NAMESPACE}:upkeep.XQ.msgs")
    assert TOKEN not in repr(Message.decode(str(kept).encode()).options)


def test_a_dead_letter_that_is_retried_has_all_its_retries(
    broker: JobBroker, jobs: Jobs, queues: Queues, ran: list[dict[str, Any]]
) -> None:
    good: list[int] = []

    def work() -> None:
        if not good:
            raise ValueError("not yet")

    actor(broker, work)
    job = jobs.enqueue("work", "upkeep")
    work_off(broker)
    ran.clear()
    assert queues.retry_all() == 1
    work_off(broker)
    assert results(ran)[-1] == ("dead", 4)
    ran.clear()
    good.append(1)
    assert queues.retry_all() == 1
    work_off(broker)
    assert [(each["job"], each["result"]) for each in ran] == [(job, "done")]
    assert queues.dead() == []


def test_a_job_that_has_become_too_old_is_dead_and_says_so(
    broker: JobBroker, jobs: Jobs, queues: Queues, ran: list[dict[str, Any]]
) -> None:
    actor(broker, lambda: None, max_age=1)
    assert MAX_AGE_MS == 86_400_000
    jobs.enqueue("work", "upkeep", delay_ms=50)
    work_off(broker)
    assert results(ran) == [("dead", 1)]
    assert "age limit" in queues.dead()[0].error


def test_a_job_of_another_release_is_left_to_its_workers(
    broker: JobBroker,
    broker_url: str,
    jobs: Jobs,
    queues: Queues,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.again.UNKNOWN_AGAIN_MS", 20)
    done = threading.Event()
    worker = Worker(broker, worker_timeout=20, worker_threads=1)
    worker.start()
    jobs.enqueue("work", "upkeep")
    wait_for(lambda: "work" in broker.actors, "worker that doesn't know it")
    worker.stop()
    assert queues.dead() == []
    following = JobBroker(Secret(broker_url))
    actor(following, done.set)
    work_off(following)
    assert done.is_set()
    following.close()


def test_a_job_that_waited_for_its_release_has_all_its_retries_there(
    broker: JobBroker,
    broker_url: str,
    jobs: Jobs,
    ran: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.again.UNKNOWN_AGAIN_MS", 1)
    worker = Worker(broker, worker_timeout=20, worker_threads=1)
    worker.start()
    jobs.enqueue("work", "upkeep")
    wait_for(lambda: len(ran) > 3, "more waiting than a job has retries")
    worker.stop()
    assert {each["result"] for each in ran} == {"put_off"}
    ran.clear()

    def work() -> None:
        raise ValueError("no good")

    following = JobBroker(Secret(broker_url))
    actor(following, work)
    work_off(following)
    following.close()
    assert results(ran) == [("retried", 1), ("retried", 2), ("retried", 3), ("dead", 4)]


def test_a_job_that_no_release_knows_is_dead_in_the_end_and_says_so(
    broker: JobBroker,
    jobs: Jobs,
    queues: Queues,
    ran: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.again.UNKNOWN_AGAIN_MS", 1)
    assert UNKNOWN_MOST * 10 == 300  # seconds
    jobs.enqueue("nobody", "upkeep")
    work_off(broker)
    (letter,) = queues.dead()
    assert (letter.attempts, letter.error) == (1, "UnknownJob: this release has no nobody")
    assert results(ran) == [("put_off", 1)] * UNKNOWN_MOST + [("dead", 1)]


def test_a_job_that_fails_while_the_broker_is_away_is_retried_all_the_same(
    broker: JobBroker, jobs: Jobs, valkey: Valkey, store: redis.Redis
) -> None:
    """Dramatiq's own retries acknowledge it without having enqueued it again."""
    failed, done = threading.Event(), threading.Event()

    def work() -> None:
        if not failed.is_set():
            valkey.stop()
            failed.set()
            raise ValueError("once")
        done.set()

    actor(broker, work)
    jobs.enqueue("work", "upkeep")
    worker = Worker(broker, worker_timeout=20, worker_threads=1)
    worker.start()
    try:
        assert failed.wait(10)
        wait_for(lambda: not valkey.running, "end of the broker")
        valkey.start()
        assert done.wait(20)
    finally:
        valkey.start()
        worker.stop()


def test_an_attempt_tells_how_long_it_waited_to_start(
    broker: JobBroker, jobs: Jobs, ran: list[dict[str, Any]]
) -> None:
    actor(broker, lambda: None)
    jobs.enqueue("work", "upkeep", delay_ms=100)
    work_off(broker)
    (told,) = ran
    assert (told["queue"], told["actor"]) == ("upkeep", "work")
    assert 0 <= told["start_delay"] < 1.0


def test_what_runs_is_listed_with_its_worker(broker: JobBroker, jobs: Jobs, queues: Queues) -> None:
    seen: list[Any] = []

    def look() -> None:
        # Another of its threads lists the worker, perhaps after this job has begun.
        wait_for(lambda: queues.state().workers, "worker in the list")
        seen.append(queues.state())

    actor(broker, look)
    job = jobs.enqueue("work", "upkeep")
    work_off(broker)
    (state,) = seen
    (worker,) = state.workers
    assert [(each.job, each.actor, each.attempt) for each in worker.running] == [(job, "work", 1)]
    assert next(each.running for each in state.queues if each.queue == "upkeep") == 1
    after = queues.state()
    assert after.workers == ()
    assert {each.running for each in after.queues} == {0}


def test_of_what_a_worker_has_taken_the_most_urgent_comes_first(broker: JobBroker) -> None:
    urgent = [
        dramatiq.actor(queue_name=queue, broker=broker, actor_name=queue)(lambda: None).priority
        for queue in ("invalidation", "warming", "upkeep")
    ]
    assert urgent == [0, 1, 2]
