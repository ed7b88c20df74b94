"""A worker killed in the middle of a job: another is given it."""

from __future__ import annotations

from pathlib import Path

import redis

from tests.workers.processes import running, wait_for
from webapp.jobs import Jobs

SLOW = ("dramatiq", "tests.workers.slow", "--processes", "1", "--threads", "2")
IMPATIENT = {"TEST_WORKER_TIMEOUT": "1500"}
"""ms; 30 s otherwise."""


def test_a_killed_workers_jobs_are_redelivered(
    redis_url: str, jobs: Jobs, store: redis.Redis, tmp_path: Path
) -> None:
    with running(SLOW, redis_url, tmp_path / "first.log", **IMPATIENT) as first:
        for name in ("runs", "runs-too", "waits"):
            jobs.enqueue("slow", "upkeep", name, 30.0 if name != "waits" else 0.0)
        wait_for(lambda: store.get("started:runs") and store.get("started:runs-too"), "start")
        store.set("hurry", 1)
        first.kill()
    with running(SLOW, redis_url, tmp_path / "second.log", **IMPATIENT):
        for name in ("runs", "runs-too", "waits"):
            wait_for(lambda each=name: store.get(f"finished:{each}") == "1", name)  # type: ignore[misc]
    assert [store.get(f"started:{name}") for name in ("runs", "waits")] == ["2", "1"]
