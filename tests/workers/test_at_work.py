"""A worker at work, one for all of these tests: when it begins a job, and what it leaves."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator

import pytest
import redis

from script.embedded import Valkey
from tests.workers.processes import WORKER, Process, beats_since, running, wait_for
from webapp.jobs import HEARTBEAT_EXPIRY, NAMESPACE, WORKER_HEARTBEAT, Jobs


@pytest.fixture(scope="module")
def lasting_worker(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    valkey.resume()
    valkey.start()
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    with running(WORKER, valkey.url, log) as process:
        yield process


@pytest.fixture
def worker(lasting_worker: Process, jobs: Jobs) -> Process:
    """With empty stores, but for the heartbeat it has just finished."""
    began = time.time()
    jobs.enqueue("heartbeat", "upkeep")
    wait_for(lambda: beats_since(jobs, began), "heartbeat")
    return lasting_worker


def test_a_heartbeat_expires(worker: Process, store: redis.Redis) -> None:
    assert 0 < store.ttl(WORKER_HEARTBEAT) <= HEARTBEAT_EXPIRY


@pytest.mark.alone
def test_an_idle_worker_starts_a_job_within_150_ms(worker: Process, jobs: Jobs) -> None:
    delays = []
    for _ in range(25):
        # Idle for longer than its longest sleep (IDLE_POLL_MS), at changing moments of it.
        time.sleep(0.12 + random.random() * 0.05)
        enqueued = time.time()
        jobs.enqueue("heartbeat", "upkeep")
        wait_for(lambda moment=enqueued: beats_since(jobs, moment), "heartbeat")  # type: ignore[misc]
        delays.append(time.time() - enqueued)
    p95 = statistics.quantiles(delays, n=20)[-1]
    print(f"idle start: p50 {statistics.median(delays) * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms")
    assert p95 <= 0.15


def test_a_delayed_job_runs_when_it_is_due(worker: Process, jobs: Jobs) -> None:
    enqueued = time.time()
    jobs.enqueue("heartbeat", "upkeep", delay_ms=1_000)
    wait_for(lambda: beats_since(jobs, enqueued), "heartbeat")
    assert 1.0 <= time.time() - enqueued < 2.0


def test_a_finished_job_leaves_nothing_behind(
    worker: Process, jobs: Jobs, store: redis.Redis
) -> None:
    wait_for(lambda: not store.exists(f"{NAMESPACE}:upkeep.msgs"), "acknowledgement")


def test_an_unknown_job_waits_for_a_worker_that_knows_it(
    worker: Process, jobs: Jobs, store: redis.Redis
) -> None:
    jobs.enqueue("nobody", "upkeep")
    wait_for(lambda: store.hlen(f"{NAMESPACE}:upkeep.DQ.msgs") == 1, "delayed job")
