"""The scheduler, as the Procfile starts it: periodiq ticks when it starts, then each minute."""

from __future__ import annotations

import time
from pathlib import Path

import redis

from script.embedded import Valkey
from tests.workers.processes import SCHEDULER, Process, beats_since, running, wait_for
from webapp.jobs import HEARTBEAT_EXPIRY, NAMESPACE, SCHEDULER_HEARTBEAT, Jobs


def test_a_tick_makes_a_worker_beat(
    worker: Process, jobs: Jobs, redis_url: str, tmp_path: Path
) -> None:
    started = time.time()
    with running(SCHEDULER, redis_url, tmp_path / "scheduler.log"):
        wait_for(lambda: beats_since(jobs, started), "heartbeat")


def test_a_scheduler_shows_that_it_lives(
    jobs: Jobs, store: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    started = time.time()
    with running(SCHEDULER, redis_url, tmp_path / "scheduler.log"):
        wait_for(lambda: (jobs.heartbeats().scheduler or 0) >= started, "scheduler's heartbeat")
    assert 0 < store.ttl(SCHEDULER_HEARTBEAT) <= HEARTBEAT_EXPIRY


def test_a_tick_is_all_that_a_scheduler_enqueues(
    store: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    queue = f"{NAMESPACE}:upkeep"
    with running(SCHEDULER, redis_url, tmp_path / "scheduler.log"):
        wait_for(lambda: store.llen(queue), "tick")
    assert {'"actor_name":"tick"' in text for text in store.hvals(f"{queue}.msgs")} == {True}


def test_a_scheduler_outlives_its_broker(redis_url: str, valkey: Valkey, tmp_path: Path) -> None:
    valkey.stop()
    with running(SCHEDULER, redis_url, tmp_path / "scheduler.log") as scheduler:
        wait_for(lambda: "a tick is skipped" in scheduler.output, "skipped tick")
        assert scheduler.popen.poll() is None
        assert str(valkey.password) not in scheduler.output


def test_sigterm_ends_a_scheduler_at_once(redis_url: str, jobs: Jobs, tmp_path: Path) -> None:
    with running(SCHEDULER, redis_url, tmp_path / "scheduler.log") as scheduler:
        wait_for(lambda: jobs.heartbeats().scheduler, "scheduler's heartbeat")
        began = time.monotonic()
        scheduler.terminate()
        assert time.monotonic() - began < 2


def test_a_bad_setting_stops_the_scheduler_with_its_line(redis_url: str, tmp_path: Path) -> None:
    with running(SCHEDULER, redis_url, tmp_path / "s.log", LOG_LEVEL="LOUD") as process:
        assert process.popen.wait(20) != 0
    assert "LOG_LEVEL is 'LOUD'; give one of " in process.output
    assert "Traceback" not in process.output


def test_a_tick_that_still_waits_is_not_joined_by_another(
    store: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    queue = f"{NAMESPACE}:upkeep"
    for number in (1, 2):
        store.config_resetstat()
        with running(SCHEDULER, redis_url, tmp_path / f"{number}.log"):
            # Not found, loaded, run: two commands; or run at once: one.
            wait_for(lambda: "cmdstat_evalsha" in store.info("commandstats"), "script")
            wait_for(lambda: store.llen(queue), "tick in the queue")
    assert store.llen(queue) == 1
