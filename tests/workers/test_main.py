"""The worker, as the Procfile starts it."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path

import redis

from script.embedded import Valkey
from tests.workers.processes import (
    WORKER,
    Process,
    beats_since,
    running,
    unconnected,
    wait_for,
)
from webapp.errors import BrokerUnavailable
from webapp.jobs import HEARTBEAT_EXPIRY, NAMESPACE, QUEUES, WORKER_HEARTBEAT, Jobs


def test_a_heartbeat_expires(worker: Process, store: redis.Redis) -> None:
    assert 0 < store.ttl(WORKER_HEARTBEAT) <= HEARTBEAT_EXPIRY


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


def test_an_unknown_job_is_kept_as_a_dead_letter(
    worker: Process, jobs: Jobs, store: redis.Redis
) -> None:
    jobs.enqueue("nobody", "upkeep")
    wait_for(lambda: store.zcard(f"{NAMESPACE}:upkeep.XQ") == 1, "dead letter")


def test_sigterm_ends_an_idle_worker_soon_and_cleanly(worker: Process) -> None:
    began = time.monotonic()
    assert worker.terminate() == 0
    assert time.monotonic() - began < 10


def test_a_job_that_waits_survives_a_workers_end(
    worker: Process, jobs: Jobs, redis_url: str, tmp_path: Path
) -> None:
    worker.terminate()
    enqueued = time.time()
    jobs.enqueue("heartbeat", "upkeep")
    with running(WORKER, redis_url, tmp_path / "next.log"):
        wait_for(lambda: beats_since(jobs, enqueued), "heartbeat")


def test_a_delayed_job_survives_a_workers_end(
    worker: Process, jobs: Jobs, store: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    enqueued = time.time()
    jobs.enqueue("heartbeat", "upkeep", delay_ms=4_000)
    wait_for(lambda: not store.exists(f"{NAMESPACE}:upkeep.DQ"), "delayed job taken")
    worker.terminate()
    with running(WORKER, redis_url, tmp_path / "next.log"):
        wait_for(lambda: beats_since(jobs, enqueued), "heartbeat")


def test_a_worker_outlives_its_broker(worker: Process, jobs: Jobs, valkey: Valkey) -> None:
    valkey.kill()
    wait_for(lambda: "connection error" in worker.output, "sign of the outage")
    valkey.start()
    restarted = time.time()

    def enqueued() -> bool:
        try:
            jobs.enqueue("heartbeat", "upkeep")
        except BrokerUnavailable:
            return False
        return True

    wait_for(enqueued, "broker")
    wait_for(lambda: beats_since(jobs, restarted), "heartbeat")


def test_a_delayed_job_survives_the_brokers_restart(
    worker: Process, jobs: Jobs, store: redis.Redis, valkey: Valkey
) -> None:
    enqueued = time.time()
    jobs.enqueue("heartbeat", "upkeep", delay_ms=1_500)
    wait_for(lambda: not store.exists(f"{NAMESPACE}:upkeep.DQ"), "delayed job taken")
    valkey.stop()
    wait_for(lambda: len(unconnected(worker)) == 2 * len(QUEUES), "sign of the outage")
    valkey.start()
    wait_for(lambda: beats_since(jobs, enqueued), "heartbeat")


def test_a_worker_outlives_a_mute_broker(worker: Process, jobs: Jobs, valkey: Valkey) -> None:
    valkey.pause()
    wait_for(lambda: len(unconnected(worker)) == 2 * len(QUEUES), "sign of the outage")
    valkey.resume()
    resumed = time.time()

    def enqueued() -> bool:
        try:
            jobs.enqueue("heartbeat", "upkeep")
        except BrokerUnavailable:
            return False
        return True

    wait_for(enqueued, "broker")
    wait_for(lambda: beats_since(jobs, resumed), "heartbeat")


def test_a_bad_setting_stops_the_worker_with_its_line(redis_url: str, tmp_path: Path) -> None:
    with running(WORKER, redis_url, tmp_path / "worker.log", PORT="http") as process:
        assert process.popen.wait(20) != 0
    assert "PORT is 'http'; give a whole number from 1 to 65535" in process.output
    assert "Traceback" not in process.output


def test_no_secret_is_logged(worker: Process, valkey: Valkey) -> None:
    valkey.kill()
    wait_for(lambda: "connection error" in worker.output, "sign of the outage")
    assert str(valkey.password) not in worker.output
