"""Fixtures of the workers' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.processes import WORKER, Process, beats_since, running, wait_for
from webapp.jobs import Jobs
from webapp.secret import Secret
from workers import upkeep
from workers.broker import JobBroker


@pytest.fixture
def broker(broker_url: str) -> Iterator[JobBroker]:
    """A worker's broker in this process, with the actors of upkeep; see `work_off`."""
    broker = JobBroker(Secret(broker_url))
    upkeep.register(broker)
    yield broker
    broker.close()


@pytest.fixture
def worker(redis_url: str, jobs: Jobs, tmp_path: Path) -> Iterator[Process]:
    """A worker that has finished its first job."""
    with running(WORKER, redis_url, tmp_path / "worker.log") as process:
        jobs.enqueue("heartbeat", "upkeep")
        wait_for(lambda: beats_since(jobs, 0), "first heartbeat")
        yield process
