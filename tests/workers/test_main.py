"""The worker, as the Procfile starts it: its end, and its broker's."""

from __future__ import annotations

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
from webapp.jobs import NAMESPACE, QUEUES, Jobs


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
